"""The request path: sources, reranking, hydration, explanations, facets and the result cache."""
