"""Runs that take minutes and look for what must not happen: lost events, growing memory."""
