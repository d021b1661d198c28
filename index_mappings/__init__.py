"""The agreement between whoever writes an index and whoever reads it: nouns, protocols, mappings."""
