"""The request path: sources, hydration, rows of a home page, explanations, facets, result cache."""
