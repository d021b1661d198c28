"""Connections to a cluster: credentials, requests with deadlines, errors, bulk writes and paging."""
