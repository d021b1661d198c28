"""Experiments measured: error rates, power, agreement with other tools, size, and verdicts end to end."""
