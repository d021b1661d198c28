"""Checks of a project: the doctor, the smoke test of a running service, feature costs."""
