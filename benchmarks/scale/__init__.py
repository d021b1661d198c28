"""What learning costs by where it is computed, and whether it measures what simulated viewers do."""
