"""Builds the application of each gunicorn worker, after the fork."""

import atexit
import gc
import logging
import sys
from functools import partial

from flask_openapi import OpenAPI
from gunicorn.http.errors import ParseException

from reelrank.app.privacy.serving_lock import hold_serving_lock
from reelrank.app.privacy_wiring import build_privacy_upkeep, build_viewer_eraser
from reelrank.app.search.trial.shadow import attach_shadow
from reelrank.app.search.trial.warm_up import warm_up
from reelrank.app.serving.access import build_access_rules, build_ranking_rules
from reelrank.app.serving.request_errors import answer_parse_error
from reelrank.app.settings import Settings
from reelrank.app.state.preload import preload
from reelrank.app.web.api.scores import create_score_api
from reelrank.app.web.application import WebOptions, create_app, create_ranking_app
from reelrank.app.web.hidden_paths import hide_directory
from reelrank.app.web.ops.overview import Operations
from reelrank.app.web.telemetry import configure_logging, count_failure, count_not_recorded
from reelrank.app.wiring import build_container, build_models, build_release_manager, build_service
from reelrank.ranking.rankers.lambdarank import import_lightgbm_alone
from reelrank.ranking.registry.decisions import FileHistory

STARTUP_WAIT_S = 30.0
"""Less than gunicorn's timeout, after which it kills a worker that has not started."""


def make_app() -> OpenAPI:
    """Builds the application of a worker. Without an index it answers 503 and says what to do."""
    import_lightgbm_alone()
    settings = Settings()
    wants_json = settings.log_format == "ecs" or (settings.log_format == "auto" and not sys.stderr.isatty())
    configure_logging(wants_json)
    logging.basicConfig(level=logging.WARNING)
    app = _create_scores_app(settings) if settings.role == "ranking" else _create_lists_app(settings)
    app.register_error_handler(ParseException, answer_parse_error)
    hide_directory(app, settings.data_dir)
    _freeze_startup_objects()
    return app


def _freeze_startup_objects() -> None:
    """Excludes objects of modules and schemas from garbage collection.

    There are 200,000, none of which is ever freed. Scanning them would delay one request in thousands by
    about 90 ms (measured on 2 cores).
    """
    gc.collect()
    gc.freeze()


def _create_lists_app(settings: Settings) -> OpenAPI:
    container = build_container(settings)
    service = build_service(container, count_not_recorded, count_failure)
    service = attach_shadow(service, settings.shadow_share, settings.loop_dir)
    eraser = build_viewer_eraser(container, service.result_cache)
    upkeep = build_privacy_upkeep(container, eraser)
    hold_serving_lock(settings.data_dir)
    service.refresher.poll(settings.refresh_ms / 1000, partial(warm_up, service), STARTUP_WAIT_S)
    service.recorder.start()
    atexit.register(service.recorder.close)
    atexit.register(service.refresher.stop)
    upkeep.start()
    atexit.register(upkeep.stop)
    releases, history = build_release_manager(container), FileHistory(settings.loop_dir)
    operations = Operations(releases, history, settings.reports_dir, settings.loads_dir)
    access = build_access_rules(settings)
    web = WebOptions(
        settings.body_bytes_max, settings.reports_dir, access, eraser, operations, container.experiments
    )
    app = create_app(service, web)
    if settings.role == "all":
        app.register_api(create_score_api(service.refresher.models))
    return app


def _create_scores_app(settings: Settings) -> OpenAPI:
    models = build_models(build_container(settings))
    atexit.register(preload(models, settings.refresh_ms / 1000))
    return create_ranking_app(models, settings.body_bytes_max, build_ranking_rules(settings))
