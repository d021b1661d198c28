"""What the server adapters cost beside the bare clients, on a server that is running."""
