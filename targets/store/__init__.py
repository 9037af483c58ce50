"""File stores: a folder here, HDFS or another machine there, behind one small interface."""
