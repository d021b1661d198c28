"""What another policy would have earned, estimated from a log of draws with known probabilities."""
