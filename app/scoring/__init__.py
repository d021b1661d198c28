"""Client of the ranking role: models that score in another service."""
