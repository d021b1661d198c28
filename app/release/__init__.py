"""Promotion, rollback, recovery and distribution of releases. Nothing here answers a request."""
