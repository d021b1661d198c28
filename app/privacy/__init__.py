"""Erasure and export of what is known of a viewer, and removal of what is kept no longer."""
