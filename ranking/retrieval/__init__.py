"""Candidate retrieval: sources, the plan of a request, and reciprocal-rank fusion."""
