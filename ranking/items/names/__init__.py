"""What people type: titles and people by their beginnings, readings of a query, likeness to words."""
