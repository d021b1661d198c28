"""Segments: the documents of one index version as immutable columns, on disk or in memory."""
