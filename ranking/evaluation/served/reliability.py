"""Reliability of logged probabilities: what was stated of shown items, and what viewers then did."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.ranking.arrow_columns import find_indices, to_array, to_floats
from reelrank.ranking.evaluation.intervals import Interval, summarize_resamples, total_resamples
from reelrank.ranking.evaluation.metrics import CLIP, find_bin_edges
from reelrank.ranking.evaluation.served.measure import list_slices
from reelrank.ranking.evaluation.served.wanted import ServedPages
from reelrank.ranking.items.engagements import to_page_item_keys

BINS = 10
"""Bins of equally many items."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Shown items with about the same probability: the mean of what was stated, and the share watched."""

    items: int
    stated: float
    observed: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Of the seen items of one slice that had a probability. nce: normalized cross entropy, below 1 when the
    probabilities tell more than the share that was watched; None where all items or none were."""

    surface: str
    items: int
    watched: float
    nce: Interval | None
    curve: tuple[ReliabilityBin, ...]


def measure_reliability(pages: ServedPages, seed: int = 0) -> list[Reliability]:
    """Measures each slice of `list_slices` that has probabilities. A quick skip is no watch."""
    if "probability" not in pages.outcomes.schema.names:
        return []
    outcomes = pages.outcomes
    request = find_indices(outcomes["request_id"], pages.requests["request_id"])
    stated = to_floats(outcomes["probability"])
    rows = np.flatnonzero((request >= 0) & np.isfinite(stated) & to_array(outcomes["seen"], np.bool_))
    played, skipped = (to_array(outcomes[name], np.bool_)[rows] for name in ("played", "quick_skip"))
    viewers = pages.name_viewers()[request[rows]]
    watched = (played & ~skipped).astype(np.float64)
    masks = {name: mask[request[rows]] for name, mask in list_slices(pages).items()}
    return [
        _measure(name, stated[rows][mask], watched[mask], viewers[mask], seed)
        for name, mask in masks.items()
        if mask.any()
    ]


def _measure(
    surface: str,
    stated: NDArray[np.float64],
    watched: NDArray[np.float64],
    viewers: NDArray[np.str_],
    seed: int,
) -> Reliability:
    p = np.clip(stated, CLIP, 1 - CLIP)
    loss = -np.where(watched > 0, np.log(p), np.log1p(-p))
    columns = np.column_stack([loss, watched, np.ones(len(p))])
    whole, nce = _compute_nce(columns.sum(axis=0)[None, :])[0], None
    if np.isfinite(whole):
        nce = summarize_resamples(float(whole), _compute_nce(total_resamples(columns, viewers, seed)))
    return Reliability(surface, len(p), float(watched.mean()), nce, _build_curve(stated, watched))


def _compute_nce(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the normalized cross entropy [n] of totals [n, 3] of loss, watched and items."""
    loss, base = totals[:, 0] / totals[:, 2], totals[:, 1] / totals[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -(base * np.log(base) + (1 - base) * np.log1p(-base))
        return np.where(entropy > 0, loss / entropy, np.nan)


def _build_curve(stated: NDArray[np.float64], watched: NDArray[np.float64]) -> tuple[ReliabilityBin, ...]:
    bins = np.searchsorted(find_bin_edges(stated, BINS), stated, side="right")
    masks = (bins == number for number in range(BINS))
    return tuple(
        ReliabilityBin(int(mask.sum()), float(stated[mask].mean()), float(watched[mask].mean()))
        for mask in masks
        if mask.any()
    )


def append_logged(outcomes: pa.Table, candidates: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """Returns the outcomes with these columns of the candidates, null where an item has none."""
    found = find_indices(to_page_item_keys(outcomes), to_page_item_keys(candidates))
    rows = pa.array(np.where(found >= 0, found, 0), mask=found < 0)
    for name in names:
        outcomes = outcomes.append_column(name, candidates[name].take(rows))
    return outcomes
