"""The contract between the writers and the readers of an index: nouns, protocols and mappings."""
