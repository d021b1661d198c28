"""The names of the candidate sources, in the order in which they are shown."""

FEATURE_SOURCES = ("bm25", "text_knn", "factors", "neighbours", "session", "recent", "popular", "fresh")
"""Sources whose ranks and scores become signals and features."""

SOURCES = ("title", *FEATURE_SOURCES)
"""`title` leads a search by a policy, so no feature is made of it."""

LEXICAL_SOURCES = ("title", "bm25")
"""Sources that match the words of a search; what only others found is similar in meaning."""

TABLE_SOURCES = frozenset({"title", "popular", "fresh"})
"""Sources that the item table answers: they say nothing about how the engine is doing."""
