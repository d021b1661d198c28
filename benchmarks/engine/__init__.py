"""The embedded engine beside bare tantivy, faiss and SQLite, in the same run."""
