"""Experiments over HTTP: the API that defines, starts and stops them, and the operator pages about them."""
