"""HTTP: the API and the pages. Knows the service and the nouns; no engine and no LightGBM."""
