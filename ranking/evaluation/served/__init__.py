"""Measures of logged pages: what was shown, seen, used and wanted. Nothing here ranks anything again."""
