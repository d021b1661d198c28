"""The Flask application, built from its blueprints."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, request
from flask.json.provider import JSONProvider
from flask_openapi import Info, OpenAPI
from werkzeug.exceptions import BadRequest

from reelrank.app.privacy.viewer_eraser import ViewerEraser
from reelrank.app.search.service import SearchService
from reelrank.app.state.model_cache import Models
from reelrank.app.web.access.login import create_login_blueprint
from reelrank.app.web.access.protection import protect
from reelrank.app.web.access.rules import LOCAL_RULES, AccessRules
from reelrank.app.web.api.catalogue import create_catalogue_api
from reelrank.app.web.api.events import create_events_api
from reelrank.app.web.api.health import check_lists_ready, check_scores_ready, create_health_api
from reelrank.app.web.api.items import create_items_api
from reelrank.app.web.api.lists import create_lists_api
from reelrank.app.web.api.models import create_models_api
from reelrank.app.web.api.scores import create_score_api
from reelrank.app.web.api.suggestions import create_suggestions_api
from reelrank.app.web.api.users import create_erasures_api, create_users_api
from reelrank.app.web.experiments.api import create_experiments_api
from reelrank.app.web.experiments.pages import create_experiment_pages
from reelrank.app.web.openapi import DescribedApplication
from reelrank.app.web.ops.overview import Operations
from reelrank.app.web.ops.pages import create_operations_blueprint
from reelrank.app.web.pages.actions import create_actions_blueprint
from reelrank.app.web.pages.failures import register_error_pages
from reelrank.app.web.pages.problems import create_problems_blueprint
from reelrank.app.web.pages.site import create_pages_blueprint
from reelrank.app.web.pages.static_files import create_static_blueprint
from reelrank.app.web.problems import (
    InvalidRequest,
    handle_validation_error,
    register_error_handlers,
)
from reelrank.app.web.simulated_time import accept_stated_time
from reelrank.app.web.telemetry import instrument_requests, state_drift
from reelrank.ranking.experiments.store import FileExperiments

INFO = Info(title="reelrank", version="1", description="Search and recommendations for videos.")


LIST_APIS = (
    create_lists_api, create_suggestions_api, create_catalogue_api, create_items_api, create_events_api,
    create_users_api,
)  # fmt: skip
"""What roles all and candidates answer, besides models and health."""
BATCH_PATHS = ("/v1/items:bulk", "/v1/events")
SCORE_PREFIX = "/v1/score/"
"""Bodies there are Arrow bytes."""


class OrjsonProvider(JSONProvider):
    """JSON by orjson, which also writes numpy numbers, dates and dataclasses."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return orjson.dumps(obj, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return orjson.loads(s)


class Application(DescribedApplication):
    json_provider_class = OrjsonProvider


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Options of the web application.

    body_bytes_max: most bytes of a request's body. reports_dir: where the last training run wrote its
    pictures. access: who may call. eraser: erases viewers; None: the service does not. operations: what the
    operator pages read; None: there are none. experiments: that the API changes; None: there is none.
    """

    body_bytes_max: int
    reports_dir: Path
    access: AccessRules = LOCAL_RULES
    eraser: ViewerEraser | None = None
    operations: Operations | None = None
    experiments: FileExperiments | None = None


def create_app(service: SearchService, options: WebOptions) -> OpenAPI:
    """Builds the app of roles all and candidates: lists, items, events, models and the pages."""
    app = _create_bare_app(options.body_bytes_max, options.access)
    accept_stated_time(app, service.clock)
    for api in LIST_APIS:
        app.register_api(api(service))
    if options.eraser is not None:
        app.register_api(create_erasures_api(options.eraser))
    if options.experiments is not None:
        app.register_api(create_experiments_api(options.experiments))
    app.register_api(create_models_api(service.refresher.models, service.refresher.refresh))
    renew_gauges = partial(state_drift, options.reports_dir)
    app.register_api(create_health_api(partial(check_lists_ready, service), renew_gauges))
    pages = (
        create_pages_blueprint(service, options.reports_dir),
        create_actions_blueprint(service),
        create_login_blueprint(options.access),
        *([create_operations_blueprint(service, options.operations)] if options.operations else ()),
        *_create_experiment_pages(options),
    )
    register_error_pages(pages, app)
    for blueprint in (*pages, create_problems_blueprint()):
        app.register_blueprint(blueprint)
    return app


def _create_experiment_pages(options: WebOptions) -> list[Blueprint]:
    if options.operations is None or options.experiments is None:
        return []
    return [create_experiment_pages(options.experiments, options.reports_dir)]


def create_ranking_app(models: Models, body_bytes_max: int, access: AccessRules = LOCAL_RULES) -> OpenAPI:
    """Builds the app of role ranking: scores and models, without an index and without events."""
    app = _create_bare_app(body_bytes_max, access)
    app.register_api(create_models_api(models, lambda: None))
    app.register_api(create_score_api(models))
    app.register_api(create_health_api(partial(check_scores_ready, models)))
    app.register_blueprint(create_problems_blueprint(only_ranking_role=True))
    return app


def _create_bare_app(body_bytes_max: int, access: AccessRules) -> OpenAPI:
    app = Application(
        "reelrank.app.web",
        info=INFO,
        static_folder=None,
        instance_path=str(Path(__file__).parent / "instance"),  # Flask derives none in a namespace package
        validation_error_callback=handle_validation_error,
        validation_error_status=400,
        needs_keys=access.authenticator is not None,
    )
    app.config["MAX_CONTENT_LENGTH"] = body_bytes_max
    instrument_requests(app)
    register_error_handlers(app)
    protect(app, access)
    app.before_request(_check_json_body)
    app.register_blueprint(create_static_blueprint())
    app.add_url_rule("/openapi.json", "openapi_json", lambda: app.api_doc)
    return app


def _check_json_body() -> None:
    """Rejects a body that is declared as JSON and does not parse: flask-openapi would ignore it.

    The endpoints of batches parse their bodies themselves, because they also accept one JSON object per line.
    """
    if (
        request.path in BATCH_PATHS
        or not request.path.startswith("/v1/")
        or request.path.startswith(SCORE_PREFIX)
    ):
        return
    if not request.is_json and request.content_length:
        raise InvalidRequest(("Content-Type", "send the header `Content-Type: application/json`"))
    if request.get_data(cache=True):
        try:
            request.get_json()
        except BadRequest as error:
            raise InvalidRequest(("body", f"it is not valid JSON: {_find_parser_message(error)}")) from error


def _find_parser_message(error: BaseException) -> str:
    """Returns the message of the JSON parser, which werkzeug's exceptions wrap."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error)
