"""Erasure of a viewer from files: the lake, and rejected rows."""
