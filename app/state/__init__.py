"""What a worker answers from: a snapshot of index version, item table, model and activity counters."""
