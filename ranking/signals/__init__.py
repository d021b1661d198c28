"""Signals: values observed per candidate at request time. Features are computed from these alone."""
