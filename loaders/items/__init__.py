"""Catalogue loads: rows are converted to items; a new index version is built, verified and promoted."""
