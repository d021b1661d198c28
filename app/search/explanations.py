"""Explains hits: their matches, signals and features, and what each feature added to the score."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reelrank.app.search.page import Explanation, Hit, Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.errors import Timeout, Unavailable, describe_failure
from reelrank.ranking.features.compute import compute_features
from reelrank.ranking.rankers.lambdarank import Ranker


def explain(page: Page, result_list: ResultList, get_ranker: Callable[[str], Ranker]) -> Page:
    """Adds an explanation to each hit of a page, or what is missing when its model does not answer.

    result_list: with its signals. get_ranker: model to its ranker.
    """
    try:
        hits = _explain_hits(page, result_list, get_ranker(result_list.model))
    except (Timeout, Unavailable) as error:
        return replace(page, degraded=(*page.degraded, describe_failure("explanation", error)))
    return replace(page, hits=hits)


def _explain_hits(page: Page, result_list: ResultList, ranker: Ranker) -> tuple[Hit, ...]:
    """Computes features over the whole list, because some compare a candidate with the others.

    The fused order has no contributions: its score is minus the position it gave.
    """
    signals = result_list.signals
    if signals is None:
        raise ValueError("a list is explained by its signals; observe them first")
    matches = [_collect_matches(result_list, hit.position) for hit in page.hits]
    positions = np.array([hit.position for hit in page.hits], np.intp)
    shown = signals.take(positions)
    shown_signals = np.column_stack(list(shown.columns.values()))
    features = compute_features(signals, ranker.feature_names)[positions]
    contributions = ranker.compute_contributions(features)
    explanations = [
        Explanation(
            matches[row],
            _drop_missing(tuple(shown.columns), shown_signals[row]),
            _drop_missing(ranker.feature_names, features[row]),
            _drop_missing(ranker.feature_names, contributions[row, :-1]),
            float(contributions[row, -1]),
        )
        for row in range(len(page.hits))
    ]
    return tuple(replace(hit, explanation=e) for hit, e in zip(page.hits, explanations, strict=True))


def _collect_matches(result_list: ResultList, position: int) -> dict[str, tuple[int, float]]:
    c = result_list.candidates
    found = zip(c.sources, c.ranks[position].tolist(), c.scores[position].tolist(), strict=True)
    return {source: (rank, score) for source, rank, score in found if rank >= 0}


def _drop_missing(names: Sequence[str], values: NDArray[np.float32]) -> Mapping[str, float]:
    pairs = zip(names, values.tolist(), strict=True)
    return {name: value for name, value in pairs if np.isfinite(value)}
