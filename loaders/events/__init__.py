"""Event files: rows checked, converted to events and appended to the event store."""
