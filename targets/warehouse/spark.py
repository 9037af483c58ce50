"""Spark's Thrift server: Hive's protocol and driver, and what Spark spells otherwise."""

from __future__ import annotations

from targets.warehouse.hive import PyHiveDriver
from targets.warehouse.hiveserver2 import HiveServer2Warehouse


class SparkWarehouse(HiveServer2Warehouse):
    name = "spark"
    driver = PyHiveDriver
    create_like = "CREATE TABLE"  # it is external all the same, for it says where it is
