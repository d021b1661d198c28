"""The Flask application, put together from its parts."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from flask import request
from flask.json.provider import JSONProvider
from flask_openapi import Info, OpenAPI
from werkzeug.exceptions import BadRequest

from reelrank.app.search.service import SearchService
from reelrank.app.state.model_cache import Models
from reelrank.app.web.api.events import create_events_api
from reelrank.app.web.api.health import check_lists_ready, check_scores_ready, create_health_blueprint
from reelrank.app.web.api.items import create_items_api
from reelrank.app.web.api.lists import create_lists_api
from reelrank.app.web.api.models import create_models_api
from reelrank.app.web.api.scores import create_score_api
from reelrank.app.web.pages.actions import create_actions_blueprint
from reelrank.app.web.pages.failures import register_error_pages
from reelrank.app.web.pages.guard import reject_cross_site_request
from reelrank.app.web.pages.site import create_pages_blueprint
from reelrank.app.web.problems import InvalidRequest, handle_validation_error, register_error_handlers
from reelrank.app.web.telemetry import instrument_requests

INFO = Info(title="reelrank", version="1", description="Search and recommendations for videos.")


BATCH_PATHS = ("/v1/items:bulk", "/v1/events")


class OrjsonProvider(JSONProvider):
    """orjson: numbers of numpy, dates and dataclasses as they are."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return orjson.dumps(obj, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return orjson.loads(s)


class Application(OpenAPI):
    json_provider_class = OrjsonProvider


@dataclass(frozen=True, slots=True)
class WebOptions:
    """reports_dir: where the last training run left its pictures."""

    body_bytes_max: int
    reports_dir: Path


def create_app(service: SearchService, options: WebOptions) -> OpenAPI:
    """Lists, items, events, models and the page."""
    app = _create_bare_app(options.body_bytes_max)
    for api in (create_lists_api, create_items_api, create_events_api):
        app.register_api(api(service))
    app.register_api(create_models_api(service.refresher.models, service.refresher.refresh))
    app.register_blueprint(create_health_blueprint(partial(check_lists_ready, service)))
    for_people = (create_pages_blueprint(service, options.reports_dir), create_actions_blueprint(service))
    register_error_pages(for_people, app)
    for blueprint in for_people:
        app.register_blueprint(blueprint)
    return app


def create_ranking_app(models: Models, body_bytes_max: int) -> OpenAPI:
    """Scores and models alone; neither an index nor events are looked at."""
    app = _create_bare_app(body_bytes_max)
    app.register_api(create_models_api(models, lambda: None))
    app.register_api(create_score_api(models))
    app.register_blueprint(create_health_blueprint(partial(check_scores_ready, models)))
    return app


def _create_bare_app(body_bytes_max: int) -> OpenAPI:
    app = Application(
        "reelrank.app.web",
        info=INFO,
        static_folder=None,
        instance_path=str(Path(__file__).parent / "instance"),  # Flask derives none in a namespace package
        validation_error_callback=handle_validation_error,
        validation_error_status=400,
    )
    app.config["MAX_CONTENT_LENGTH"] = body_bytes_max
    instrument_requests(app)
    register_error_handlers(app)
    app.before_request(reject_cross_site_request)
    app.before_request(_check_json_body)
    app.add_url_rule("/openapi.json", "openapi_json", lambda: app.api_doc)
    return app


def _check_json_body() -> None:
    """Where JSON is announced it must parse: flask-openapi would take a damaged body for none.

    Batches are parsed by their own endpoints, which also take a line of JSON each.
    """
    if request.is_json and request.path not in BATCH_PATHS and request.get_data(cache=True):
        try:
            request.get_json()
        except BadRequest as error:
            raise InvalidRequest(("body", f"it is no JSON: {error.__cause__ or error}")) from error
