"""Liveness, readiness and metrics of this worker."""

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify
from flask_openapi import APIBlueprint

from reelrank.app.search.service import SearchService
from reelrank.app.state.model_cache import Models
from reelrank.app.web.api.answer_models import LiveAnswer, ReadyAnswer
from reelrank.app.web.openapi import create_api_blueprint
from reelrank.app.web.telemetry import render_metrics
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import NO_MODEL, Degradation, EngineError, Unavailable, describe_failure


def check_lists_ready(service: SearchService) -> dict[str, Any]:
    """Checks that lists can be answered. Raises Unavailable."""
    state = service.refresher.state
    if not service.engine.is_ready():
        raise Unavailable("the search engine does not answer; read its log", code="engine_unreachable")
    if not service.refresher.recovery.is_over:
        reason = "the search engine came back; its first searches are tried before it gets requests"
        raise Unavailable(reason, code="engine_unreachable")
    degraded = [str(missing) for missing in (*state.degraded, *find_write_problems(service.engine))]
    return {"model": state.ranker.name, "index_version": state.version, "degraded": degraded}


def find_write_problems(engine: SearchEngine) -> list[Degradation]:
    """Finds why items cannot be changed. Lists are answered all the same."""
    try:
        block = engine.find_write_block()
    except EngineError as error:
        return [describe_failure("items", error)]
    return [Degradation("items", "writes_blocked", str(block))] if block else []


def check_scores_ready(models: Models) -> dict[str, Any]:
    """Checks that the promoted model loads; another service may have an intact copy. Raises Unavailable."""
    ranker, degraded = models.current()
    problems = [missing for missing in degraded if missing != NO_MODEL]
    if problems:
        raise Unavailable(str(problems[0]))
    return {"model": ranker.name, "degraded": [str(missing) for missing in degraded]}


def create_health_api(
    check_ready: Callable[[], dict[str, Any]], renew_gauges: Callable[[], None] = lambda: None
) -> APIBlueprint:
    """Creates the operations of liveness, readiness and metrics.

    check_ready: returns what /readyz reports; raises Unavailable when the worker is not ready.
    renew_gauges: sets gauges of what other processes measured, before they are reported.
    """
    api = create_api_blueprint("health", "Whether this worker lives and can answer.", prefix=None)

    @api.get("/livez", responses={200: LiveAnswer})
    def livez() -> Response:
        """Answer while the process lives."""
        return jsonify(alive=True)

    @api.get("/readyz", responses={200: ReadyAnswer})
    def readyz() -> Response:
        """Answer while lists, or scores in role ranking, can be served."""
        return jsonify(ready=True, **check_ready())

    @api.get("/metrics", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
    def metrics() -> Response:
        """Report the metrics of all workers, in the text format of Prometheus."""
        renew_gauges()
        text, kind = render_metrics()
        return Response(text, content_type=kind)

    return api
