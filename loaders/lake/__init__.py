"""The lake: decisions and events as partitioned Parquet, written, compacted, read and attributed."""
