"""Where partitions of the log are built and rankers are trained: processes of this machine, Dask or Spark."""
