"""Labels: what a viewer's actions say about how relevant an item was to them."""
