"""Models over HTTP: which there are, which serves, and making another one serve."""

from collections.abc import Callable

from flask import Response, jsonify
from flask_openapi import APIBlueprint, Tag

from reelrank.app.state.model_cache import Models
from reelrank.app.web.parameters import ModelPath
from reelrank.ranking.rankers.lambdarank import FusedOrder

MODELS_TAG = Tag(name="models", description="The models on disk and the one that serves.")


def create_models_api(models: Models, on_promoted: Callable[[], None]) -> APIBlueprint:
    """promoted: called when another model is to serve, so that this worker need not find out by itself."""
    api = APIBlueprint("models", __name__, url_prefix="/v1", abp_tags=[MODELS_TAG])

    @api.get("/models")
    def versions() -> Response:
        """The models, newest first."""
        rows = [
            {
                "id": v.id,
                "created_at": v.created_at,
                "kind": v.kind,
                "serving": v.serving,
                "metrics": {name: measured.model_dump() for name, measured in v.metrics.items()},
                "problem": v.problem,
            }
            for v in models.versions()
        ]
        serving = next((v.id for v in models.versions() if v.serving), FusedOrder.name)
        return jsonify(serving=serving, models=rows)

    @api.post("/models/<string:model>:promote")
    def promote(path: ModelPath) -> Response:
        """Make a model the one that serves; one that does not fit is refused and the old one stays."""
        models.promote(path.model)
        on_promoted()
        return jsonify(serving=path.model)

    return api
