"""Simulated viewers with known tastes, and the traffic they make: against the real service, or in process."""
