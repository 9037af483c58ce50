"""CustomerAggr: daily customer statistics of the dates that a list names."""
