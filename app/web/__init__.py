"""HTTP in, HTTP out: the API and the pages. Knows the stories and the nouns; no engine, no LightGBM."""
