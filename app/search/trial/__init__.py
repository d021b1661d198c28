"""Releases on trial: which viewers a canary serves, what a shadow ranks again, and the warm-up of both."""
