"""Whether this worker lives, whether it can answer, and how it has been doing."""

from flask import Blueprint, Response, jsonify

from app.search.stories import Service
from app.web.telemetry import metrics_text
from index_mappings.errors import Unavailable


def health(service: Service) -> Blueprint:
    pages = Blueprint("health", __name__)

    @pages.get("/livez")
    def livez() -> Response:
        return jsonify(alive=True)

    @pages.get("/readyz")
    def readyz() -> Response:
        state = service.live.state
        if not service.engine.is_ready():
            raise Unavailable("the engine does not answer; see its log")
        return jsonify(
            ready=True, model=state.ranker.name, index_version=state.version, degraded=state.degraded
        )

    @pages.get("/metrics")
    def metrics() -> Response:
        text, kind = metrics_text()
        return Response(text, content_type=kind)

    return pages
