"""The service under gunicorn: what each worker builds, after the fork, and lets go of at the end."""

import atexit
import gc
import logging
import sys

from flask_openapi import OpenAPI

from app.search.preloaded import preload
from app.settings import Settings
from app.web.application import WebOptions, create_app, create_ranking_app
from app.web.score_api import score_api
from app.web.telemetry import NOT_RECORDED, configure_logging, count_failure
from app.wiring import build_models, build_parts, build_service

OPENING_S = 30.0
"""Below gunicorn's timeout, after which a worker that has not begun is ended."""


def make_app() -> OpenAPI:
    """Called by each worker. An empty house is served too: unready, and saying what to do."""
    settings = Settings()
    wants_json = settings.log_format == "ecs" or (settings.log_format == "auto" and not sys.stderr.isatty())
    configure_logging(wants_json)
    logging.basicConfig(level=logging.WARNING)
    app = _scores_app(settings) if settings.role == "ranking" else _lists_app(settings)
    _spare_what_stays()
    return app


def _spare_what_stays() -> None:
    """Two hundred thousand objects of modules and schemas never go; looking through them all again would
    stop one request in thousands for about 90 ms (seen on 2 cores)."""
    gc.collect()
    gc.freeze()


def _lists_app(settings: Settings) -> OpenAPI:
    service = build_service(build_parts(settings), lambda why: NOT_RECORDED.labels(why).inc(), count_failure)
    service.live.follow(settings.refresh_ms / 1000, service.warm, OPENING_S)
    service.log.start()
    atexit.register(service.log.close)
    atexit.register(service.live.stop)
    app = create_app(service, WebOptions(settings.body_bytes_max, settings.reports_dir))
    if settings.role == "all":
        app.register_api(score_api(service.live.models))
    return app


def _scores_app(settings: Settings) -> OpenAPI:
    models = build_models(build_parts(settings))
    atexit.register(preload(models, settings.refresh_ms / 1000))
    return create_ranking_app(models, settings.body_bytes_max)
