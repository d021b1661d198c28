"""Comparison of the ranker with simple baselines on judged requests, with confidence intervals."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_intervals
from reelrank.ranking.evaluation.judged_request import (
    HOME,
    PAST_WATCHES,
    SIMULATED_SEARCH,
    JudgedRequest,
    name_viewer,
)
from reelrank.ranking.evaluation.metrics import logloss, ndcg_at, pairwise_loss, precision_at, recall_at
from reelrank.ranking.rankers.manifest import MetricEstimate

MEASURES = ("ndcg@10", "precision@10", "recall@100", "pairwise_loss", "logloss")
POPULARITY, FUSED, MODEL = "popularity", "fused", "lambdarank"
TEXT = "bm25"
ALL_KINDS = "all"
"""Requests of all kinds but SIMULATED_SEARCH, which is apart."""

Rankings = Sequence[ItemIds | None]
"""A baseline's ranking of each request, best first; None where it does not apply."""

ProbabilityFunction = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps a ranker's scores [n] to probabilities of a watch [n]."""


@dataclass(frozen=True, slots=True)
class MetricResult:
    """A measure of one system over the requests of a kind: ALL_KINDS, or one of `judged_request`."""

    kind: str
    system: str
    measure: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of one evaluation.

    model: the ranker's id. requests: number of requests by kind. differences: the model's measures minus
    those of the fused order, of popularity, of BM25 alone (searches) and of baselines, paired; their `system`
    names both. notes: what else to know of the baselines, in sentences.
    """

    model: str
    requests: dict[str, int]
    results: tuple[MetricResult, ...]
    differences: tuple[MetricResult, ...]
    notes: tuple[str, ...] = ()

    def find_difference(self, kind: str = ALL_KINDS, measure: str = MEASURES[0]) -> Interval:
        """Returns the interval of the model's measure minus that of the fused order. Raises KeyError."""
        for result in self.differences:
            if (result.kind, result.system, result.measure) == (kind, f"{MODEL} - {FUSED}", measure):
                return result.interval
        raise KeyError(f"{kind} {measure}")

    def list_systems(self, kind: str = ALL_KINDS) -> tuple[str, ...]:
        """Returns the systems that were measured on requests of a kind."""
        return tuple(dict.fromkeys(result.system for result in self.results if result.kind == kind))

    def collect_metrics(self, system: str, kind: str = ALL_KINDS) -> dict[str, MetricEstimate]:
        """Returns the measures of one system in the form of a model manifest."""
        return {
            r.measure: MetricEstimate(value=r.interval.mean, low=r.interval.low, high=r.interval.high)
            for r in self.results
            if (r.kind, r.system) == (kind, system)
        }

    def build_quality_rows(self, kind: str = ALL_KINDS) -> list[tuple[str, ...]]:
        """Returns a table: a header, then a row per system; `-` where a measure does not apply."""
        found = {(r.system, r.measure): str(r.interval) for r in self.results if r.kind == kind}
        measures = [m for m in MEASURES if any((s, m) in found for s in self.list_systems(kind))]
        rows = [(s, *(found.get((s, m), "-") for m in measures)) for s in self.list_systems(kind)]
        return [("system", *measures), *rows]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(text: str) -> "Evaluation":
        """Parses the output of `to_dict` as JSON. Raises ValueError, KeyError or TypeError for other text."""
        content = json.loads(text)
        results, differences = (
            tuple(MetricResult(**{**row, "interval": Interval(**row["interval"])}) for row in content[name])
            for name in ("results", "differences")
        )
        notes = tuple(content.get("notes", ()))
        return Evaluation(content["model"], content["requests"], results, differences, notes)


def evaluate(
    judged_requests: Sequence[JudgedRequest],
    model: str,
    to_probabilities: ProbabilityFunction | None = None,
    baselines: Mapping[str, Rankings] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measures every request as ranked by popularity, each source alone, fusion, and the model with policies.

    baselines: rankings of their own. Ties keep the order of the candidates. Items that a source did not
    find, or would have found had it been used, count as not retrieved. logloss is measured only for the
    model, if `to_probabilities` is given. The intervals of home pages resample viewers, those of searches
    resample queries.
    Raises ValueError without requests, or with simulated searches alone.
    """
    kinds = np.array([request.kind for request in judged_requests])
    if not (kinds != SIMULATED_SEARCH).any():
        raise ValueError("there are no judged requests to evaluate on; load more events, or a longer history")
    ranked = baselines or {}
    names = (POPULARITY, *ranked, *_list_sources(judged_requests), FUSED, MODEL)
    table = _measure_requests(judged_requests, names, to_probabilities, list(ranked.values()))
    groups = np.array([_name_group(request, row) for row, request in enumerate(judged_requests)])
    results: list[MetricResult] = []
    differences: list[MetricResult] = []
    masks = _list_slices(judged_requests, kinds)
    for kind, mask in masks.items():
        rows = np.flatnonzero(mask).tolist()
        used = _list_sources([judged_requests[row] for row in rows])
        whole = [name for name, lists in ranked.items() if all(lists[row] is not None for row in rows)]
        systems = [name for name in names if name in (POPULARITY, *whole, *used, FUSED, MODEL)]
        measured = table[mask][:, [names.index(name) for name in systems]]
        results += _bootstrap_results(kind, systems, (measured, groups[mask]), seed)
        others = [FUSED, POPULARITY, *whole, *([TEXT] if TEXT in used and kind != ALL_KINDS else [])]
        gaps = measured[:, [-1]] - measured[:, [systems.index(name) for name in others]]
        pairs = [f"{MODEL} - {name}" for name in others]
        differences += _bootstrap_results(kind, pairs, (gaps, groups[mask]), seed)
    requests = {kind: int(mask.sum()) for kind, mask in masks.items()}
    return Evaluation(model, requests, tuple(results), tuple(differences))


def _list_slices(
    judged_requests: Sequence[JudgedRequest], kinds: NDArray[np.str_]
) -> dict[str, NDArray[np.bool_]]:
    """Returns which requests [q] are in each slice that has any, by its name; the headline is the first."""
    headline = kinds != SIMULATED_SEARCH
    watched = np.array([len(request.request.viewer.watched) for request in judged_requests])
    slices = {ALL_KINDS: headline} | {str(kind): kinds == kind for kind in np.unique(kinds)}
    slices |= {
        name: headline & (low <= watched) & (watched <= high) for name, (low, high) in PAST_WATCHES.items()
    }
    return {name: mask for name, mask in slices.items() if mask.any()}


def _list_sources(judged_requests: Sequence[JudgedRequest]) -> tuple[str, ...]:
    """Returns the sources that any of the requests used, each once."""
    return tuple(
        dict.fromkeys(source for request in judged_requests for source in request.candidates.sources)
    )


def _name_group(request: JudgedRequest, row: int) -> str:
    """Names what is resampled: the viewer of a home page; each search and anonymous page for itself."""
    return name_viewer(request, row) if request.kind == HOME else f"request {row}"


def _bootstrap_results(
    kind: str, systems: Sequence[str], measured: tuple[NDArray[np.float64], NDArray[np.str_]], seed: int
) -> list[MetricResult]:
    """Bootstraps measures [q, systems, MEASURES] and their groups [q] with the same resamples.

    Measures without any value are left out.
    """
    table, groups = measured
    flat = table.reshape(len(table), -1)
    known = np.flatnonzero(np.isfinite(flat).any(axis=0))
    indexes = [divmod(int(column), len(MEASURES)) for column in known]
    intervals = bootstrap_intervals(flat[:, known], seed, groups)
    return [
        MetricResult(kind, systems[s], MEASURES[m], i) for (s, m), i in zip(indexes, intervals, strict=True)
    ]


def _measure_requests(
    judged_requests: Sequence[JudgedRequest],
    systems: Sequence[str],
    to_probabilities: ProbabilityFunction | None,
    baselines: Sequence[Rankings],
) -> NDArray[np.float64]:
    """Returns the measures [q, systems, MEASURES] of every request."""
    return np.array(
        [
            _measure_systems(request, systems, to_probabilities, [lists[row] for lists in baselines])
            for row, request in enumerate(judged_requests)
        ]
    )


def _measure_systems(
    request: JudgedRequest,
    systems: Sequence[str],
    to_probabilities: ProbabilityFunction | None,
    baselines: Sequence[ItemIds | None],
) -> list[list[float]]:
    """Returns the MEASURES of every system; NaN where one does not apply to this request.

    baselines: the rankings of the systems after POPULARITY.
    """
    gains = request.compute_candidate_gains()
    has_pairs = 0 < np.count_nonzero(gains > 0) < len(gains)
    rankings = [None, *baselines, *[None] * (len(systems) - 1 - len(baselines))]
    rows = []
    for position, (name, ranking) in enumerate(zip(systems, rankings, strict=True)):
        if 0 < position <= len(baselines):
            rows.append(_measure_ranking(request, ranking))
            continue
        scores = request.scores if name == MODEL else _score_baseline(request, name)
        order = request.order if name == MODEL else np.argsort(-scores, kind="stable")
        loss = np.nan
        if name == MODEL and to_probabilities is not None and len(gains):
            loss = logloss(to_probabilities(scores), gains)
        pairs = pairwise_loss(scores, gains) if has_pairs else np.nan
        rows.append([*_measure_gains(request, gains[order[np.isfinite(scores[order])]]), pairs, loss])
    return rows


def _measure_ranking(request: JudgedRequest, ranking: ItemIds | None) -> list[float]:
    if ranking is None:
        return [np.nan] * len(MEASURES)
    return [*_measure_gains(request, request.compute_gains(ranking)), np.nan, np.nan]


def _measure_gains(request: JudgedRequest, ranked: NDArray[np.float32]) -> tuple[float, float, float]:
    return (
        ndcg_at(ranked, request.gains, 10),
        precision_at(ranked, 10),
        recall_at(ranked, len(request.relevant), 100),
    )


def _score_baseline(request: JudgedRequest, system: str) -> NDArray[np.float32]:
    """Returns the scores [n] of a baseline; -inf where it does not retrieve the candidate."""
    if system == POPULARITY:
        return request.popularity
    if system == FUSED:
        return -np.arange(len(request.candidates), dtype=np.float32)
    ranks = request.candidates.get_source_ranks(system)
    return np.where(ranks >= 0, -ranks.astype(np.float32), np.float32(-np.inf))
