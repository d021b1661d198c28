"""Real search engine nodes for the tests, from their published jars."""
