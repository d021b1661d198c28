"""What the loop reads of the lake: requests that were answered, what was seen, and drift of features."""
