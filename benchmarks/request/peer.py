"""A plain implementation to compare with: a Flask view with a pandas frame and Booster.predict per request.

It has the features of all items already, so it only looks them up, scores, sorts and responds.
"""

from typing import Any

import numpy as np
import orjson
import pandas as pd
from flask import Flask, Response, request
from numpy.typing import NDArray

from benchmarks.clock import time_interleaved
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.web.application import WebOptions, create_app
from reelrank.index_mappings.query import Query
from reelrank.ranking.features.compute import compute_features

Figures = dict[str, Any]


def measure_peer(service: SearchService, query: Query, options: WebOptions, repeats: int) -> Figures:
    """Posts the same ids to both in one process, alternately. Only reelrank computes signals and features."""
    ranked = service.rank_query(RankingOptions(query, explain=True), StageTimings())
    if ranked.signals is None:
        raise ValueError("an explained request must keep its signals")
    ranker = service.refresher.state.ranker
    ids = [name.decode() for name in ranked.candidates.ids.tolist()]
    features = compute_features(ranked.signals, ranker.feature_names)
    plain = build_plain_app(ids, features, ranker).test_client()
    engine_app = create_app(service, options).test_client()
    body = orjson.dumps({"ids": ids, "user": query.user})

    def post(client: Any, path: str) -> None:
        answer = client.post(path, data=body, content_type="application/json")
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:300]}")

    pair = time_interleaved(
        lambda _: post(engine_app, "/v1/rank/current"), lambda _: post(plain, "/rank"), range(repeats)
    )
    return {"candidates": len(ids), **pair.to_dict()}


def build_plain_app(ids: list[str], features: NDArray[np.float32], ranker: Any) -> Flask:
    """Returns the plain implementation."""
    app = Flask("plain")
    rows = {item_id: dict(zip(ranker.feature_names, row, strict=True)) for item_id, row in
            zip(ids, features.tolist(), strict=True)}  # fmt: skip

    @app.post("/rank")
    def rank() -> Response:
        item_ids = request.get_json()["ids"]
        frame = pd.DataFrame([rows[item_id] for item_id in item_ids], index=item_ids)
        frame["score"] = ranker.booster.predict(frame, num_threads=1)
        ranked = frame.sort_values("score", ascending=False)
        body = orjson.dumps({"ids": ranked.index.tolist(), "scores": ranked["score"].tolist()})
        return Response(body, content_type="application/json")

    return app
