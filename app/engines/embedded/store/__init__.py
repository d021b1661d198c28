"""The SQLite store, which is the source of truth: connections, documents, events and locks."""
