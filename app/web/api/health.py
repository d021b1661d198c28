"""Liveness, readiness and metrics of this worker."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify

from reelrank.app.search.service import SearchService
from reelrank.app.state.model_cache import NO_MODEL, Models
from reelrank.app.web.telemetry import render_metrics
from reelrank.index_mappings.errors import Unavailable


def check_lists_ready(service: SearchService) -> dict[str, Any]:
    """Checks that lists can be answered. Raises Unavailable."""
    state = service.refresher.state
    if not service.engine.is_ready():
        raise Unavailable("the search engine does not answer; read its log", code="engine_unreachable")
    degraded = [str(missing) for missing in state.degraded]
    return {"model": state.ranker.name, "index_version": state.version, "degraded": degraded}


def check_scores_ready(models: Models) -> dict[str, Any]:
    """Checks that the promoted model loads; another service may have an intact copy. Raises Unavailable."""
    ranker, degraded = models.current()
    problems = [missing for missing in degraded if missing != NO_MODEL]
    if problems:
        raise Unavailable(str(problems[0]))
    return {"model": ranker.name, "degraded": [str(missing) for missing in degraded]}


def create_health_blueprint(check_ready: Callable[[], dict[str, Any]]) -> Blueprint:
    """check_ready: returns what /readyz reports; raises Unavailable when the worker is not ready."""
    pages = Blueprint("health", __name__)

    @pages.get("/livez")
    def livez() -> Response:
        return jsonify(alive=True)

    @pages.get("/readyz")
    def readyz() -> Response:
        return jsonify(ready=True, **check_ready())

    @pages.get("/metrics")
    def metrics() -> Response:
        text, kind = render_metrics()
        return Response(text, content_type=kind)

    return pages
