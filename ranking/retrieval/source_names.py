"""The names of the candidate sources, in the order in which they are shown and become features."""

SOURCES = ("bm25", "text_knn", "factors", "neighbours", "session", "recent", "popular", "fresh")
