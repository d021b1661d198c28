"""Commands of the lab, and the tables they print."""
