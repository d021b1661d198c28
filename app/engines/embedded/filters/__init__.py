"""Filters of one segment: bitmaps, postings and numeric columns."""
