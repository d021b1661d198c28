"""The model registry: versions on disk, and the pointer that says which one serves."""
