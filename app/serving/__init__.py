"""gunicorn: command line, configuration, worker, response socket and the application of each worker."""
