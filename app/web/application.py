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

from app.search.served_models import Models
from app.search.stories import Service
from app.web.events_api import events_api
from app.web.health import health, lists_ready, scores_ready
from app.web.items_api import items_api
from app.web.lists_api import lists_api
from app.web.models_api import models_api
from app.web.pages.deeds import deeds
from app.web.pages.failures import show_failures
from app.web.pages.guard import from_our_own_page
from app.web.pages.site import pages
from app.web.problems import InvalidRequest, handle_failures, invalid
from app.web.score_api import score_api
from app.web.telemetry import watch_requests

INFO = Info(title="reelrank", version="1", description="Search and recommendations for videos.")


BATCHES = ("/v1/items:bulk", "/v1/events")


class FastJson(JSONProvider):
    """orjson: numbers of numpy, dates and dataclasses as they are."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return orjson.dumps(obj, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return orjson.loads(s)


class Application(OpenAPI):
    json_provider_class = FastJson


@dataclass(frozen=True, slots=True)
class WebOptions:
    """reports_dir: where the last training run left its pictures."""

    body_bytes_max: int
    reports_dir: Path


def create_app(service: Service, options: WebOptions) -> OpenAPI:
    """Lists, items, events, models and the page."""
    app = _bare(options.body_bytes_max)
    for api in (lists_api, items_api, events_api):
        app.register_api(api(service))
    app.register_api(models_api(service.live.models, service.live.refresh))
    app.register_blueprint(health(partial(lists_ready, service)))
    for_people = (pages(service, options.reports_dir), deeds(service))
    show_failures(for_people, app)
    for blueprint in for_people:
        app.register_blueprint(blueprint)
    return app


def create_ranking_app(models: Models, body_bytes_max: int) -> OpenAPI:
    """Scores and models alone; neither an index nor events are looked at."""
    app = _bare(body_bytes_max)
    app.register_api(models_api(models, lambda: None))
    app.register_api(score_api(models))
    app.register_blueprint(health(partial(scores_ready, models)))
    return app


def _bare(body_bytes_max: int) -> OpenAPI:
    app = Application(
        "app.web",
        info=INFO,
        static_folder=None,
        validation_error_callback=invalid,
        validation_error_status=400,
    )
    app.config["MAX_CONTENT_LENGTH"] = body_bytes_max
    watch_requests(app)
    handle_failures(app)
    app.before_request(from_our_own_page)
    app.before_request(_json_is_json)
    app.add_url_rule("/openapi.json", "openapi_json", lambda: app.api_doc)
    return app


def _json_is_json() -> None:
    """Where JSON is announced it must parse: flask-openapi would take a damaged body for none.

    Batches are parsed by their own endpoints, which also take a line of JSON each.
    """
    if request.is_json and request.path not in BATCHES and request.get_data(cache=True):
        try:
            request.get_json()
        except BadRequest as error:
            raise InvalidRequest(("body", f"it is no JSON: {error.__cause__ or error}")) from error
