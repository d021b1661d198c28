"""Serving and wiring: settings, stories, web, engines, command line."""
