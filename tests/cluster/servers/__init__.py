"""The real servers of the cluster tests: fetched, configured, started and stopped by the suite."""
