"""Features: pure functions of signals, the same in training and in serving."""
