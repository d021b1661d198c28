"""Tests: contract, unit, golden, journeys, faults, house, and the servers that some of them need."""
