"""Logged pages, read from the lake with what came of them, in parts that fit in memory."""
