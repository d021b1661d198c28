"""The embedded engine: SQLite is the truth; the tantivy index and the vectors in memory derive from it."""
