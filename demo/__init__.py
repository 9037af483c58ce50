"""Deterministic sample data of realistic shape, and a night to try on it. All of it is invented."""
