"""Experiments on viewers: who sees what, and tests that stay valid however often they are read."""
