"""Search engines behind one protocol, siblings of each other."""
