"""Features: numbers derived from signals by pure functions, one module per group."""
