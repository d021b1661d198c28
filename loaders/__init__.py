"""Bulk loaders: catalogues into index versions, event files into the event store, migrations and the demo."""
