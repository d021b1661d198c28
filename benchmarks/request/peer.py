"""The plain way people rank: a bare Flask view that makes a pandas frame per request and predicts.

It is given the features ready-made, by item, and only has to look them up, score, sort and answer.
"""

from typing import Any

import numpy as np
import orjson
import pandas as pd
from flask import Flask, Response, request
from numpy.typing import NDArray

from benchmarks.clock import time_interleaved
from reelrank.app.search.service import RankingOptions, SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.web.application import WebOptions, create_app
from reelrank.index_mappings.query import Query
from reelrank.ranking.features.compute import compute_features

Figures = dict[str, Any]


def measure_peer(service: SearchService, query: Query, options: WebOptions, repeats: int) -> Figures:
    """POST of the same ids to both, in one process, by turns. Ours also observes its signals."""
    ranked = service.rank_query(RankingOptions(query, explain=True), StageTimings())
    if ranked.signals is None:
        raise ValueError("a request that is explained keeps its signals")
    ranker = service.refresher.state.ranker
    ids = [name.decode() for name in ranked.candidates.ids.tolist()]
    features = compute_features(ranked.signals, ranker.feature_names)
    plain = build_plain_app(ids, features, ranker).test_client()
    ours = create_app(service, options).test_client()
    body = orjson.dumps({"ids": ids, "user": query.user})

    def post(client: Any, path: str) -> None:
        answer = client.post(path, data=body, content_type="application/json")
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:300]}")

    pair = time_interleaved(
        lambda _: post(ours, "/v1/rank/current"), lambda _: post(plain, "/rank"), range(repeats)
    )
    return {"candidates": len(ids), **pair.to_dict()}


def build_plain_app(ids: list[str], features: NDArray[np.float32], ranker: Any) -> Flask:
    app = Flask("plain")
    rows = {name: dict(zip(ranker.feature_names, row, strict=True)) for name, row in
            zip(ids, features.tolist(), strict=True)}  # fmt: skip

    @app.post("/rank")
    def rank() -> Response:
        wanted = request.get_json()["ids"]
        frame = pd.DataFrame([rows[name] for name in wanted], index=wanted)
        frame["score"] = ranker.booster.predict(frame, num_threads=1)
        best = frame.sort_values("score", ascending=False)
        body = orjson.dumps({"ids": best.index.tolist(), "scores": best["score"].tolist()})
        return Response(body, content_type="application/json")

    return app
