"""Drift: how the features of one time differ from those of another. Arrays in, named features out."""
