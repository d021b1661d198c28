"""HTML pages, server-rendered."""
