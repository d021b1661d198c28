"""How typed words relate to those of the catalogue: vocabulary, misspellings, completions, synonyms."""
