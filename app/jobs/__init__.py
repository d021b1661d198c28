"""Jobs that run to an end: one module per command (training, loading, migration, demo)."""
