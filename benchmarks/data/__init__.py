"""Made-up catalogues of any size, the same each time they are made."""
