"""Evaluation: how well each system orders judged requests, with intervals, beside simple baselines."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranking.bootstrap import Interval, bootstrap_intervals
from ranking.judged import Judged
from ranking.manifest import Measured
from ranking.measures.logloss import logloss
from ranking.measures.ndcg import ndcg_at
from ranking.measures.pairwise_loss import pairwise_loss
from ranking.measures.precision import precision_at
from ranking.measures.recall import recall_at
from ranking.ranker import Ranker

MEASURES = ("ndcg@10", "precision@10", "recall@100", "pairwise_loss", "logloss")
POPULARITY, FUSED, MODEL = "popularity", "fused", "lambdarank"
ALL_KINDS = "all"

Probability = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Turns a ranker's scores [n] into probabilities of a watch [n]."""


@dataclass(frozen=True, slots=True)
class Result:
    """One system's measure over the requests of a kind (`home`, `search` or `all`)."""

    kind: str
    system: str
    measure: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Evaluation:
    """requests: how many of each kind. differences: the model's measure minus the fused order's,
    paired by request; `system` names the two. model: the ranker's id.
    """

    model: str
    requests: dict[str, int]
    results: tuple[Result, ...]
    differences: tuple[Result, ...]

    def interval(self, system: str, measure: str, kind: str = ALL_KINDS) -> Interval:
        """Raises KeyError when it was not measured."""
        for result in self.results:
            if (result.kind, result.system, result.measure) == (kind, system, measure):
                return result.interval
        raise KeyError(f"{system} {measure} {kind}")

    def difference(self, kind: str = ALL_KINDS, measure: str = MEASURES[0]) -> Interval:
        """The model's measure minus that of the fused order. Raises KeyError."""
        for result in self.differences:
            if (result.kind, result.measure) == (kind, measure):
                return result.interval
        raise KeyError(f"{kind} {measure}")

    def systems(self, kind: str = ALL_KINDS) -> tuple[str, ...]:
        return tuple(dict.fromkeys(result.system for result in self.results if result.kind == kind))

    def measured(self, system: str, kind: str = ALL_KINDS) -> dict[str, Measured]:
        """One system's measures as a manifest states them."""
        return {
            r.measure: Measured(value=r.interval.mean, low=r.interval.low, high=r.interval.high)
            for r in self.results
            if (r.kind, r.system) == (kind, system)
        }

    def quality_rows(self, kind: str = ALL_KINDS) -> list[tuple[str, ...]]:
        """A table: its heading, then a row a system; `-` where a measure does not apply."""
        found = {(r.system, r.measure): str(r.interval) for r in self.results if r.kind == kind}
        measures = [m for m in MEASURES if any((s, m) in found for s in self.systems(kind))]
        rows = [(s, *(found.get((s, m), "-") for m in measures)) for s in self.systems(kind)]
        return [("system", *measures), *rows]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)

    @staticmethod
    def from_json(text: str) -> "Evaluation":
        """Raises ValueError, KeyError or TypeError when the text is not an evaluation."""
        facts = json.loads(text)
        results, differences = (
            tuple(Result(**{**row, "interval": Interval(**row["interval"])}) for row in facts[name])
            for name in ("results", "differences")
        )
        return Evaluation(facts["model"], facts["requests"], results, differences)


def evaluate(
    judged: Sequence[Judged], ranker: Ranker, probability: Probability | None = None, seed: int = 0
) -> Evaluation:
    """Orders every request by popularity, by each source alone, as fused, and by the ranker.

    Ties keep the candidates' order. A source's unfound items, and a source that was not asked,
    count as not retrieved. logloss is measured for the ranker only, given `probability`.
    Raises ValueError without requests.
    """
    if not judged:
        raise ValueError("no judged requests to evaluate on; replay more history or lower its start")
    sources = tuple(dict.fromkeys(source for request in judged for source in request.candidates.sources))
    names = (POPULARITY, *sources, FUSED, MODEL)
    table = np.array([_measure(request, names, ranker, probability) for request in judged])
    kinds = np.array([request.kind for request in judged])
    results: list[Result] = []
    differences: list[Result] = []
    masks = {ALL_KINDS: np.ones(len(judged), bool)} | {str(k): kinds == k for k in np.unique(kinds)}
    for kind, mask in masks.items():
        asked = {s for r in judged for s in r.candidates.sources if kind in (ALL_KINDS, r.kind)}
        listed = [n for n in names if n not in sources or n in asked]
        places = [names.index(name) for name in listed]
        results += _results(kind, listed, table[mask][:, places], seed)
        gaps = table[mask][:, [names.index(MODEL)]] - table[mask][:, [names.index(FUSED)]]
        differences += _results(kind, [f"{MODEL} - {FUSED}"], gaps, seed)
    requests = {kind: int(mask.sum()) for kind, mask in masks.items()}
    return Evaluation(ranker.name, requests, tuple(results), tuple(differences))


def _results(kind: str, names: Sequence[str], table: NDArray[np.float64], seed: int) -> list[Result]:
    """Of measures [q, systems, MEASURES], all with the same resamples; none where all are NaN."""
    flat = table.reshape(len(table), -1)
    known = np.flatnonzero(np.isfinite(flat).any(axis=0))
    places = [divmod(int(column), len(MEASURES)) for column in known]
    intervals = bootstrap_intervals(flat[:, known], seed)
    return [Result(kind, names[s], MEASURES[m], i) for (s, m), i in zip(places, intervals, strict=True)]


def _measure(
    request: Judged, names: Sequence[str], ranker: Ranker, probability: Probability | None
) -> list[list[float]]:
    """MEASURES of every system; NaN where one does not apply to this request."""
    gains = request.candidate_gains()
    has_pairs = 0 < np.count_nonzero(gains > 0) < len(gains)
    model_scores = ranker.score(request.features)
    rows = []
    for name in names:
        scores = model_scores if name == MODEL else _baseline_scores(request, name)
        order = np.argsort(-scores, kind="stable")
        ranked = gains[order[np.isfinite(scores[order])]]
        loss = np.nan
        if name == MODEL and probability is not None and len(gains):
            loss = logloss(probability(scores), gains)
        rows.append(
            [
                ndcg_at(ranked, request.gains, 10),
                precision_at(ranked, 10),
                recall_at(ranked, len(request.relevant), 100),
                pairwise_loss(scores, gains) if has_pairs else np.nan,
                loss,
            ]
        )
    return rows


def _baseline_scores(request: Judged, name: str) -> NDArray[np.float32]:
    """Scores [n]; -inf where the system does not retrieve the candidate."""
    if name == POPULARITY:
        return request.popularity
    if name == FUSED:
        return -np.arange(len(request.candidates), dtype=np.float32)
    ranks = request.candidates.source_ranks(name)
    return np.where(ranks >= 0, -ranks.astype(np.float32), np.float32(-np.inf))
