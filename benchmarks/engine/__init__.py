"""Compares the embedded engine with bare tantivy, faiss and SQLite in the same run."""
