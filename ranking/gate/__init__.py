"""The gate: checks that a new release must pass before any viewer sees it. Arrays in, checks out."""
