"""An existing index that another program fills: read-only, with reelrank's vectors beside it."""
