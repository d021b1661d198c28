"""Documents, index versions, queries and live changes on a cluster."""
