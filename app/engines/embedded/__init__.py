"""The embedded engine: SQLite is the source of truth; the tantivy index and the segments derive from it."""
