"""Warehouses: one room per engine, one interface for all of them."""
