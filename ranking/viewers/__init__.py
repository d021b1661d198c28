"""Viewers: history, the ranking request and its query vectors."""
