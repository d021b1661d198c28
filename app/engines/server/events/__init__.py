"""Event and dashboard data streams on a cluster, with their lifecycle."""
