"""How long each stage of a page takes, by how many candidates there are; one request at a time."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.search.stages import Stages
from app.search.stories import Ask, Service
from app.web.answers import page_answer
from app.web.parameters import HomeParameters, SearchParameters
from benchmarks.clock import interleaved
from index_mappings.query import Query
from ranking.features.compute import compute_features
from ranking.ranker import LambdaRank, Ranker
from ranking.signals import Signals

PERCENTILES = (50, 95, 99)
RANKING = ("signals", "features", "score")
"""What turns candidates into an order; their sum is reported as `ranking`."""
Figures = dict[str, Any]
Rows = NDArray[np.float32]
Score = Callable[[Rows], object]


def stage_figures(service: Service, queries: Sequence[Query]) -> Figures:
    """Milliseconds at p50, p95 and p99 of each stage, of RANKING, of the whole; candidates: the median."""
    service.page(Ask(queries[0]))
    times: dict[str, list[float]] = {}
    found: list[int] = []
    for query in queries:
        stages = Stages()
        with stages.stage("whole"):
            with stages.stage("parse"):
                _parsed(query)
            page = service.page(Ask(query))
            with stages.stage("render"):
                orjson.dumps(page_answer(page, "/v1/search", query.limit))
        found.append(page.candidates)
        ranking = {"ranking": sum(page.stages[name] for name in RANKING)}
        for name, seconds in {**page.stages, **stages.seconds, **ranking}.items():
            times.setdefault(name, []).append(seconds * 1000)
    return {
        "requests": len(queries),
        "candidates": int(np.median(found)),
        "degraded": sum(bool(service.page(Ask(query)).degraded) for query in queries[:5]),
        "ms": {name: _percentiles(values) for name, values in times.items()},
    }


def scoring_figures(service: Service, queries: Sequence[Query]) -> Figures:
    """Features and scoring together beside the bare scorer on the same matrix, by turns."""
    signals = [_signals(service, query) for query in queries]
    ranker = service.live.state.ranker
    matrices = [compute_features(each, ranker.feature_names) for each in signals]
    pairs = list(zip(signals, matrices, strict=True))
    figures: Figures = {"scorer": getattr(ranker, "scorer", ranker.name)}
    for name, score in _scorers(ranker).items():
        figures[name] = _beside_bare(score, ranker.feature_names, pairs)
    return figures


def _beside_bare(score: Score, names: Sequence[str], pairs: Sequence[tuple[Signals, Rows]]) -> Figures:
    def ours(pair: tuple[Signals, Rows]) -> object:
        return score(compute_features(pair[0], names))

    def bare(pair: tuple[Signals, Rows]) -> object:
        return score(pair[1])

    return interleaved(ours, bare, pairs).to_dict()


def _scorers(ranker: Ranker) -> dict[str, Score]:
    """The served scorer, and Booster.predict, which is the reference and the fallback."""
    scorers: dict[str, Score] = {"served": ranker.score}
    if isinstance(ranker, LambdaRank):
        predict = partial(ranker.booster.predict, raw_score=True, num_threads=1)
        scorers["booster"] = predict
    return scorers


def _parsed(query: Query) -> Query:
    """As a request states it: text, checked. Its moment would be another, so the query given is asked."""
    stated = {"user": query.user, "limit": str(query.limit)}
    if query.text:
        return SearchParameters.model_validate(stated | {"q": query.text}).query()
    return HomeParameters.model_validate(stated).query()


def _signals(service: Service, query: Query) -> Signals:
    signals = service.ranked(Ask(query, explain=True), Stages()).signals
    if signals is None:
        raise ValueError("a request that is explained keeps its signals")
    return signals


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values, q)), 3) for q in PERCENTILES}
