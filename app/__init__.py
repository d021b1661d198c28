"""The service: settings, wiring, request path, engines, web, jobs and the command line."""
