"""The client of the ranking role: models that another service scores with."""
