"""Source files as a stream of rows: formats, compression, CSV, JSONL and Parquet readers."""
