"""The service under gunicorn: what each worker builds, after the fork, and lets go of at the end."""

import atexit
import logging
import sys

from flask_openapi import OpenAPI

from app.settings import Settings
from app.web.application import WebOptions, create_app
from app.web.telemetry import NOT_RECORDED, configure_logging
from app.wiring import build_parts, build_service


def make_app() -> OpenAPI:
    """Called by each worker. An empty house is served too: unready, and saying what to do."""
    settings = Settings()
    wants_json = settings.log_format == "ecs" or (settings.log_format == "auto" and not sys.stderr.isatty())
    configure_logging(wants_json)
    logging.basicConfig(level=logging.WARNING)
    parts = build_parts(settings)
    service = build_service(parts, lambda why: NOT_RECORDED.labels(why).inc())
    service.warm()
    service.live.follow(settings.refresh_ms / 1000)
    service.log.start()
    atexit.register(service.log.close)
    atexit.register(service.live.stop)
    return create_app(service, WebOptions(settings.body_bytes_max, settings.reports_dir))
