"""gunicorn: configuration, worker, response socket and the application each worker builds."""
