"""Models over HTTP: list them, and promote one together with an index version that it fits."""

from collections.abc import Callable

from flask import Response, jsonify
from flask_openapi import APIBlueprint

from reelrank.app.state.model_cache import Models
from reelrank.app.web.api.answer_models import ModelsAnswer, PromotedAnswer
from reelrank.app.web.api.parameters import ModelPath
from reelrank.app.web.openapi import create_api_blueprint
from reelrank.ranking.rankers.lambdarank import FusedOrder


def create_models_api(models: Models, on_promoted: Callable[[], None]) -> APIBlueprint:
    """Creates the operations on models.

    on_promoted: called after a promotion, so that this worker follows at once.
    """
    api = create_api_blueprint("models", "The models in the registry, and which one serves.")

    @api.get("/models", responses={200: ModelsAnswer})
    def list_models() -> Response:
        """List the models, newest first."""
        listed = models.versions()
        rows = [
            {
                "id": v.id,
                "created_at": v.created_at,
                "kind": v.kind,
                "serving": v.serving,
                "metrics": {name: measured.model_dump() for name, measured in v.metrics.items()},
                "problem": v.problem,
            }
            for v in listed
        ]
        serving = next((v.id for v in listed if v.serving), FusedOrder.name)
        return jsonify(serving=serving, models=rows)

    @api.post("/models/<string:model>:promote", responses={200: PromotedAnswer})
    def promote_model(path: ModelPath) -> Response:
        """Promote a model, with the index version of its embeddings. A model that does not fit is refused."""
        models.promote(path.model)
        on_promoted()
        return jsonify(serving=path.model)

    return api
