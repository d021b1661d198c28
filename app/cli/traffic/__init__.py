"""Commands about traffic: simulated viewers, and the events that are stored."""
