"""Measures of logged pages: what was shown, used and wanted, and skew. Nothing here ranks anything again."""
