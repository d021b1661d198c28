"""Fuzzing of everything that reads foreign bytes: `python -m tests.fuzz` (atheris), and its corpus."""
