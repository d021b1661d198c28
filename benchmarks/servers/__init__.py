"""Compares the server adapters with the bare clients on a running server."""
