"""How long each stage of a page takes, by how many candidates there are; one request at a time."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.clock import time_interleaved
from reelrank.app.search.service import RankingOptions, SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.web.answers import serialize_page
from reelrank.app.web.parameters import HomeParameters, SearchParameters
from reelrank.index_mappings.query import Query
from reelrank.ranking.features.compute import compute_features
from reelrank.ranking.rankers.lambdarank import LambdaRank, Ranker
from reelrank.ranking.signals.observe import Signals

PERCENTILES = (50, 95, 99)
RANKING_STAGES = ("signals", "features", "score")
"""What turns candidates into an order; their sum is reported as `ranking`."""
Figures = dict[str, Any]
Rows = NDArray[np.float32]
Score = Callable[[Rows], object]


def measure_stages(service: SearchService, queries: Sequence[Query]) -> Figures:
    """Milliseconds at p50, p95 and p99 of each stage, of RANKING, of the whole; candidates: the median."""
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
                orjson.dumps(serialize_page(page, "/v1/search", query.limit))
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
    """Features and scoring together beside the bare scorer on the same matrix, by turns."""
    signals = [_observe_signals(service, query) for query in queries]
    ranker = service.refresher.state.ranker
    matrices = [compute_features(each, ranker.feature_names) for each in signals]
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
    """The served scorer, and Booster.predict, which is the reference and the fallback."""
    scorers: dict[str, Score] = {"served": ranker.score}
    if isinstance(ranker, LambdaRank):
        predict = partial(ranker.booster.predict, raw_score=True, num_threads=1)
        scorers["booster"] = predict
    return scorers


def _parse(query: Query) -> Query:
    """As a request states it: text, checked. Its moment would be another, so the query given is asked."""
    stated = {"user": query.user, "limit": str(query.limit)}
    if query.text:
        return SearchParameters.model_validate(stated | {"q": query.text}).build_query(query.context.at)
    return HomeParameters.model_validate(stated).build_query(query.context.at)


def _observe_signals(service: SearchService, query: Query) -> Signals:
    signals = service.rank_query(RankingOptions(query, explain=True), StageTimings()).signals
    if signals is None:
        raise ValueError("a request that is explained keeps its signals")
    return signals


def _compute_percentiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values, q)), 3) for q in PERCENTILES}
