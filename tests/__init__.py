"""Tests: contract, unit, golden, journeys, faults, consistency, and the servers that some of them need."""
