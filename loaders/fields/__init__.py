"""Columns of a source converted to typed fields: the field map, times and lists."""
