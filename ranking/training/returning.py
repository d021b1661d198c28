"""Viewers who return after a while: their last watches are held out, for requests to learn from.

Windows of time hold requests of viewers who are active then. A model that learned from those alone does not
know what a viewer who was away for years watches next, and ranks such pages badly.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelrank.index_mappings.event import Event

HELD_OUT_SHARE = 0.15
"""Last watches of a viewer that are held out: as much as the evaluation window holds of a history."""
MIN_KEPT = 5
"""Watches that a viewer keeps: one who has fewer is new, and no viewer who returns."""


@dataclass(frozen=True, slots=True)
class ReturningViewers:
    """Viewers who watched nothing from a time on, and their last watches.

    kept: all other events, EVENT_SCHEMA. held_out: watches by viewer. Both are in the order of time.
    """

    kept: pa.Table
    held_out: Mapping[str, list[Event]]


def hold_out_returning(events: pa.Table, before_ms: int, limit: int, seed: int = 0) -> ReturningViewers:
    """Holds out the last watches of at most `limit` viewers, at random, who watched nothing from a time on.

    What is learned from the kept events does not know the held-out ones.
    """
    ordered = events.sort_by([("at_ms", "ascending"), ("id", "ascending")])
    rows = np.flatnonzero(pc.equal(ordered["kind"], "watch").to_numpy())
    users = ordered["user"].take(pa.array(rows)).to_numpy().astype(np.str_)
    names, codes, counts = np.unique(users, return_inverse=True, return_counts=True)
    last_ms = np.zeros(len(names), np.int64)
    np.maximum.at(last_ms, codes, ordered["at_ms"].to_numpy()[rows])
    held = np.ceil(counts * HELD_OUT_SHARE).astype(np.int64)
    held[(last_ms >= before_ms) | (counts - held < MIN_KEPT)] = 0
    held[np.random.default_rng(seed).permutation(np.flatnonzero(held))[limit:]] = 0
    by_user = np.argsort(codes, kind="stable")
    position = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_held = np.zeros(len(ordered), bool)
    is_held[rows[by_user[position >= np.repeat(counts - held, counts)]]] = True
    held_out: dict[str, list[Event]] = {}
    for row in ordered.filter(pa.array(is_held)).to_pylist():
        held_out.setdefault(row["user"], []).append(Event(**row))
    return ReturningViewers(ordered.filter(pa.array(~is_held)), held_out)
