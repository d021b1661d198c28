"""Relevance suite: searches for known titles, a public text collection and home pages, beside baselines."""
