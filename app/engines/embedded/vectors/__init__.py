"""Vector search in one segment: exact, and by an inverted file (IVF)."""
