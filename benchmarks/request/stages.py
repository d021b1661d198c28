"""Measures the stages of a page by the number of candidates, one request at a time."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.clock import time_interleaved
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.web.answers import serialize_page
from reelrank.app.web.api.parameters import HomeParameters, SearchParameters
from reelrank.index_mappings.query import Query
from reelrank.ranking.features.compute import compute_features
from reelrank.ranking.rankers.lambdarank import LambdaRank, Ranker
from reelrank.ranking.signals.observe import Signals

PERCENTILES = (50, 95, 99)
RANKING_STAGES = ("signals", "features", "score")
"""Stages from candidates to an order; their sum is reported as `ranking`."""
Figures = dict[str, Any]
Rows = NDArray[np.float32]
Score = Callable[[Rows], object]


def measure_stages(service: SearchService, queries: Sequence[Query]) -> Figures:
    """Returns milliseconds of each stage at p50, p95 and p99, and the median number of candidates."""
    service.serve_page(RankingOptions(queries[0]))
    times: dict[str, list[float]] = {}
    found: list[int] = []
    for query in queries:
        stages = StageTimings()
        with stages.measure("whole"):
            with stages.measure("parse"):
                _parse(query)
            page = service.serve_page(RankingOptions(query))
            with stages.measure("render"):
                orjson.dumps(serialize_page(page, "/v1/search", {"limit": query.limit}))
        found.append(page.candidates)
        ranking = {"ranking": sum(page.timings[name] for name in RANKING_STAGES)}
        for name, seconds in {**page.timings, **stages.seconds, **ranking}.items():
            times.setdefault(name, []).append(seconds * 1000)
    return {
        "requests": len(queries),
        "candidates": int(np.median(found)),
        "degraded": sum(bool(service.serve_page(RankingOptions(query)).degraded) for query in queries[:5]),
        "ms": {name: _compute_percentiles(values) for name, values in times.items()},
    }


def measure_scoring(service: SearchService, queries: Sequence[Query]) -> Figures:
    """Compares features and scoring with the bare scorer on the same matrix, alternately."""
    signals = [_observe_signals(service, query) for query in queries]
    ranker = service.refresher.state.ranker
    matrices = [compute_features(page_signals, ranker.feature_names) for page_signals in signals]
    pairs = list(zip(signals, matrices, strict=True))
    figures: Figures = {"scorer": getattr(ranker, "scorer", ranker.name)}
    for name, score in _build_scorers(ranker).items():
        figures[name] = _compare_with_bare(score, ranker.feature_names, pairs)
    return figures


def _compare_with_bare(score: Score, names: Sequence[str], pairs: Sequence[tuple[Signals, Rows]]) -> Figures:
    def score_ours(pair: tuple[Signals, Rows]) -> object:
        return score(compute_features(pair[0], names))

    def score_bare(pair: tuple[Signals, Rows]) -> object:
        return score(pair[1])

    return time_interleaved(score_ours, score_bare, pairs).to_dict()


def _build_scorers(ranker: Ranker) -> dict[str, Score]:
    """Returns the served scorer and Booster.predict, the reference and fallback."""
    scorers: dict[str, Score] = {"served": ranker.score}
    if isinstance(ranker, LambdaRank):
        predict = partial(ranker.booster.predict, raw_score=True, num_threads=1)
        scorers["booster"] = predict
    return scorers


def _parse(query: Query) -> Query:
    """Parses the parameters of a query as a request brings them."""
    parameters = {"user": query.user, "limit": str(query.limit)}
    if query.text:
        return SearchParameters.model_validate(parameters | {"q": query.text}).build_query(query.context.at)
    return HomeParameters.model_validate(parameters).build_query(query.context.at)


def _observe_signals(service: SearchService, query: Query) -> Signals:
    signals = service.rank_query(RankingOptions(query, explain=True), StageTimings()).signals
    if signals is None:
        raise ValueError("an explained request must keep its signals")
    return signals


def _compute_percentiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values, q)), 3) for q in PERCENTILES}
