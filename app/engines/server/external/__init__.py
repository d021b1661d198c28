"""An existing index that another program fills: read-only, with our vectors beside it."""
