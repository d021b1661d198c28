"""Catalogues: rows converted to items, a new index version built, verified and promoted."""
