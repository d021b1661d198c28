"""The loop that keeps learning: an idempotent state machine, its steps, and the process that repeats it."""
