"""Candidate retrieval: sources, the plan of a request, gibberish, and reciprocal-rank fusion."""
