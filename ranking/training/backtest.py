"""History replayed: what a page would have had to choose from at a moment, and what was watched next.

Each request sees its viewer, the popularity and the embeddings as of its moment, never later.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.engine import Matcher
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.match import item_ids
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.features.compute import compute_features
from reelrank.ranking.items.popularity import Popularity, count_events
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.retrieval.sources import CandidateLimits, build_candidates, plan_sources, query_source
from reelrank.ranking.signals.observe import observe
from reelrank.ranking.viewers.history import build_viewer, compute_watched_share
from reelrank.ranking.viewers.query_vectors import build_request

HORIZON_MS = 24 * 3_600_000
"""What is watched within a day of a page counts as what the viewer wanted then."""
MAX_RELEVANT = 20
MIN_SHARE = 0.2
"""Watching less than this is a quick skip: not wanted."""
GOOD_SHARE, BEST_SHARE = 0.4, 0.7
SEARCH_SHARE = 0.3
"""Share of replayed requests that are (simulated) known-item searches."""
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """requests: how many to aim for; per_user: at most so many of one viewer; history: watches a
    viewer must have before. titles: item id to title, from which searches are simulated."""

    requests: int = 2000
    per_user: int = 40
    history: int = 5
    limits: CandidateLimits = field(default_factory=CandidateLimits)
    titles: dict[str, str] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class BacktestIndex:
    """What requests are replayed in: the table, who matches, and who reads words."""

    table: ItemTable
    matcher: Matcher
    encoder: TextEncoder


@dataclass(frozen=True, slots=True)
class _SampledRequest:
    user_id: str
    at_ms: int
    kind: str


def backtest(
    events: pa.Table,
    index: BacktestIndex,
    window: tuple[int, int],
    options: BacktestOptions,
    progress: Progress = ignore_progress,
) -> Iterator[JudgedRequest]:
    """Requests sampled in a window [from, to) of milliseconds, in the order of time; each was followed
    by a watch. `events`: EVENT_SCHEMA, in any order."""
    ordered = events.sort_by([("at_ms", "ascending"), ("id", "ascending")])
    histories = _group_by_user(ordered)
    rng = np.random.default_rng(options.seed)
    requests = _sample_requests(histories, window, options, rng)
    popularity = Popularity(len(index.table))
    times, counted = ordered["at_ms"].to_numpy(), 0
    for done, request in enumerate(requests):
        until = int(np.searchsorted(times, request.at_ms))
        for batch in ordered.slice(counted, until - counted).to_batches():
            count_events(popularity, index.table, batch)
        counted = until
        yield _judge_request(request, histories[request.user_id], index, popularity, (options, rng))
        progress("replaying history", done + 1, len(requests))


def _judge_request(
    request: _SampledRequest, events: list[Event], index: BacktestIndex, popularity: Popularity,
    sampling: tuple[BacktestOptions, np.random.Generator],
) -> JudgedRequest:  # fmt: skip
    options, rng = sampling
    viewer = build_viewer(request.user_id, events, request.at_ms)
    wanted = _find_relevant(events, request.at_ms, {i.decode() for i in viewer.seen.tolist()})
    text = None
    if request.kind == "search":
        wanted = dict([max(wanted.items(), key=lambda pair: pair[1])])
        text = _simulate_search_text(options.titles.get(next(iter(wanted)), ""), rng)
    context = Context(np.datetime64(request.at_ms, "ms").astype("O").replace(tzinfo=UTC))
    query = Query(text=text or None, user=request.user_id, context=context)
    moment = build_request(query, viewer, index.table, index.encoder)
    asked = plan_sources(moment, index.table, options.limits)
    matches = [query_source(a, index.matcher, index.table, popularity, TIMEOUT_S) for a in asked]
    candidates = build_candidates(moment, matches, index.table)
    signals = observe(moment, candidates, index.table, popularity)
    shares = popularity.compute_shares(index.table.find_rows(candidates.ids))[:, 1]
    gains = np.array(list(wanted.values()), np.float32)
    features = compute_features(signals)
    return JudgedRequest(moment, candidates, item_ids(wanted), gains, query.kind, features, shares)


def _group_by_user(events: pa.Table) -> dict[str, list[Event]]:
    histories: dict[str, list[Event]] = {}
    for batch in events.to_batches():
        for row in batch.to_pylist():
            histories.setdefault(row["user"], []).append(Event(**row))
    return histories


def _sample_requests(
    histories: dict[str, list[Event]],
    window: tuple[int, int],
    options: BacktestOptions,
    rng: np.random.Generator,
) -> list[_SampledRequest]:
    """Moments just before a watch of something new, evenly over viewers."""
    moments: list[_SampledRequest] = []
    for user in sorted(histories):
        watches = [e for e in histories[user] if e.kind == "watch"]
        places = [
            p for p, e in enumerate(watches) if p >= options.history and window[0] <= e.at_ms < window[1]
        ]
        chosen = rng.permutation(places)[: options.per_user]
        for place in sorted(int(p) for p in chosen):
            watch = watches[place]
            seen = {e.item for e in watches if e.at_ms < watch.at_ms}
            if _find_relevant(histories[user], watch.at_ms, seen):
                kind = "search" if options.titles and rng.random() < SEARCH_SHARE else "home"
                moments.append(_SampledRequest(user, watch.at_ms, kind))
    kept = rng.permutation(len(moments))[: options.requests]
    return sorted((moments[int(k)] for k in kept), key=lambda r: (r.at_ms, r.user_id))


def _find_relevant(events: list[Event], at_ms: int, seen: set[str]) -> dict[str, float]:
    """The next watches within the horizon of items not seen before, with their gains."""
    wanted: dict[str, float] = {}
    for event in events:
        if event.kind != "watch" or not at_ms <= event.at_ms < at_ms + HORIZON_MS or event.item in seen:
            continue
        gain = to_gain(compute_watched_share(event.watched_ms, event.duration_ms))
        if gain > 0 and len(wanted) < MAX_RELEVANT:
            wanted[event.item] = max(gain, wanted.get(event.item, 0.0))
    return wanted


def to_gain(share: float) -> float:
    """3 for nearly all of it watched, 2 for a good part, 1 for less or unknown, 0 for a quick skip."""
    if np.isnan(share):
        return 1.0
    return 0.0 if share < MIN_SHARE else 1.0 if share < GOOD_SHARE else 2.0 if share < BEST_SHARE else 3.0


def _simulate_search_text(title: str, rng: np.random.Generator) -> str:
    """One to three words of a title, in their order, as somebody who half remembers it would type."""
    words = title.split()
    count = min(len(words), int(rng.integers(1, 4)))
    return " ".join(words[p] for p in sorted(rng.permutation(len(words))[:count].tolist()))
