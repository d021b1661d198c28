"""What users meet: the default install, viewers of a real history, whole requests."""
