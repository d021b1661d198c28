"""Logged pages with what came of them, in parts that fit in memory; training rows by hour, cached."""
