"""Scores for feature rows over HTTP, as Arrow bytes: role candidates requests them from role ranking."""

from functools import cache

import numpy as np
from flask import Response, jsonify, request
from flask_openapi import APIBlueprint
from numpy.typing import NDArray

from reelrank.app.state.model_cache import Models
from reelrank.app.web.api.answer_models import ModelColumnsAnswer
from reelrank.app.web.api.parameters import ModelPath, ScoreParameters
from reelrank.app.web.openapi import create_api_blueprint
from reelrank.app.web.problems import InvalidRequest, build_problem
from reelrank.index_mappings.errors import Degradation
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.rankers.blending import BlendWeights, blend_rankers
from reelrank.ranking.rankers.lambdarank import Ranker, get_embeddings_fingerprint, ranks_cold_start
from reelrank.ranking.wire.arrow_check import Limits, TooLarge
from reelrank.ranking.wire.feature_rows import MEDIA_TYPE, from_bytes, to_bytes

SCORED = Limits(rows=50_000)
"""More rows of this build's features than an uncompressed body of 8 MB, the default limit, can hold."""
EXPLAINED = Limits(rows=5_000)
"""Contributions cost many times as much as scores and are needed only for the hits of one page."""

ARROW = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
"""The media type of bodies and answers."""
compute_fingerprint = cache(compute_feature_fingerprint)


def create_score_api(models: Models) -> APIBlueprint:
    api = create_api_blueprint("scores", "Models as a service: features in, scores out.")

    @api.get("/score/<model>", responses={200: ModelColumnsAnswer})
    def describe_model(path: ModelPath) -> Response:
        """Name the columns that a model, or `current`, reads, and the fingerprint of their computation."""
        ranker, degraded = get_ranker(path.model)
        return jsonify(
            model=ranker.name,
            feature_names=ranker.feature_names,
            feature_fingerprint=compute_fingerprint(ranker.feature_names),
            embeddings_fingerprint=get_embeddings_fingerprint(ranker),
            ranks_cold_start=ranks_cold_start(ranker),
            degraded=[str(missing) for missing in degraded],
            degradations=degraded,
        )

    @api.post(
        "/score/<model>",
        request_body={"content": ARROW, "required": True},
        responses={200: {"content": ARROW}},
    )
    def score_rows(path: ModelPath, query: ScoreParameters) -> Response:
        """Score feature rows: an Arrow IPC stream of float32 columns in, one `score` column out."""
        ranker = blend_rankers(get_ranker(path.model)[0], BlendWeights(query.lambdarank, query.pointwise))
        limits = EXPLAINED if query.contributions else SCORED
        try:
            features = from_bytes(request.get_data(), ranker.feature_names, limits)
        except TooLarge as error:
            return build_problem("body_too_large", f"body: {error}", [("body", str(error))])
        except ValueError as error:
            raise InvalidRequest(("body", str(error))) from error
        return Response(_compute_answer(ranker, features, query), content_type=MEDIA_TYPE)

    def get_ranker(model: str) -> tuple[Ranker, tuple[Degradation, ...]]:
        return models.current() if model == "current" else (models.get(model), ())

    return api


def _compute_answer(ranker: Ranker, features: NDArray[np.float32], query: ScoreParameters) -> bytes:
    if query.contributions:
        return to_bytes(ranker.compute_contributions(features), (*ranker.feature_names, "base"))
    return to_bytes(ranker.score(features)[:, None], ("score",))
