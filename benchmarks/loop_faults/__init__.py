"""Faults made on purpose: the loop killed in each state, and a day with all kinds."""
