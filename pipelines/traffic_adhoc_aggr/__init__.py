"""TrafficAdhocAggr: usage per customer, SIM and day, of the dates that a named list gives."""
