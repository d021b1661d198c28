"""The commands of the loop that keeps learning, and of drift."""
