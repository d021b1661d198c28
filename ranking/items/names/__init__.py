"""Names that people type: titles and people by their beginnings, and whether a text looks like words."""
