"""Files in, checked batches out: catalogues into index versions, events into partitions."""
