"""The stories: a search, a home page, similar items. Nouns and protocols alone; no HTTP."""
