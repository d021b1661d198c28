"""The loop on simulated viewers: the real state machine, releases that are bad on purpose, and the truth."""
