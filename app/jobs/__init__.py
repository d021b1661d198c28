"""Jobs that run to an end: training and its history, loading, migration, measurements, demo."""
