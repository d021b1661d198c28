"""The embedded engine: SQLite is the source of truth; text index and segments are derived from it."""
