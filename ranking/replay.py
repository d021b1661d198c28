"""History replayed: what a page would have had to choose from at a moment, and what was watched next.

Each request sees its viewer, the popularity and the embeddings as of its moment, never later.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC

import numpy as np
import pyarrow as pa

from index_mappings.encoder import TextEncoder
from index_mappings.engine import Matcher
from index_mappings.event import Event
from index_mappings.match import item_ids
from index_mappings.query import Context, Query
from ranking.features.compute import compute_features
from ranking.item_table import ItemTable
from ranking.judged import Judged
from ranking.popularity import Popularity, count_events
from ranking.progress import Progress, silent
from ranking.signals import observe
from ranking.sources import Caps, answer, candidates_of, plan
from ranking.vectors import moment_of
from ranking.viewer import viewer_as_of, watched_share

HORIZON_MS = 24 * 3_600_000
"""What is watched within a day of a page counts as what the viewer wanted then."""
MAX_RELEVANT = 20
MIN_SHARE = 0.2
"""Watching less than this is a quick skip: not wanted."""
GOOD_SHARE, BEST_SHARE = 0.4, 0.7
SEARCH_SHARE = 0.3
"""Share of replayed requests that are (simulated) known-item searches."""
LONG_S = 60.0


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """requests: how many to aim for; per_user: at most so many of one viewer; history: watches a
    viewer must have before. titles: item id to title, from which searches are simulated."""

    requests: int = 2000
    per_user: int = 40
    history: int = 5
    caps: Caps = field(default_factory=Caps)
    titles: dict[str, str] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """What requests are replayed in: the table, who matches, and who reads words."""

    table: ItemTable
    matcher: Matcher
    encoder: TextEncoder


@dataclass(frozen=True, slots=True)
class _Request:
    user: str
    at_ms: int
    kind: str


def replayed(
    events: pa.Table,
    world: World,
    window: tuple[int, int],
    options: ReplayOptions,
    progress: Progress = silent,
) -> Iterator[Judged]:
    """Requests sampled in a window [from, to) of milliseconds, in the order of time; each was followed
    by a watch. `events`: EVENT_SCHEMA, in any order."""
    ordered = events.sort_by([("at_ms", "ascending"), ("id", "ascending")])
    histories = _histories(ordered)
    rng = np.random.default_rng(options.seed)
    requests = _sample(histories, window, options, rng)
    popularity = Popularity(len(world.table))
    times, counted = ordered["at_ms"].to_numpy(), 0
    for done, request in enumerate(requests):
        until = int(np.searchsorted(times, request.at_ms))
        for batch in ordered.slice(counted, until - counted).to_batches():
            count_events(popularity, world.table, batch)
        counted = until
        yield _judge(request, histories[request.user], world, popularity, (options, rng))
        progress("replaying history", done + 1, len(requests))


def _judge(
    request: _Request, events: list[Event], world: World, popularity: Popularity,
    drawn: tuple[ReplayOptions, np.random.Generator],
) -> Judged:  # fmt: skip
    options, rng = drawn
    viewer = viewer_as_of(request.user, events, request.at_ms)
    wanted = _wanted(events, request.at_ms, {i.decode() for i in viewer.seen.tolist()})
    text = None
    if request.kind == "search":
        wanted = dict([max(wanted.items(), key=lambda pair: pair[1])])
        text = _words_of(options.titles.get(next(iter(wanted)), ""), rng)
    context = Context(np.datetime64(request.at_ms, "ms").astype("O").replace(tzinfo=UTC))
    query = Query(text=text or None, user=request.user, context=context)
    moment = moment_of(query, viewer, world.table, world.encoder)
    asked = plan(moment, world.table, options.caps)
    matches = [answer(a, world.matcher, world.table, popularity, LONG_S) for a in asked]
    candidates = candidates_of(moment, matches, world.table)
    signals = observe(moment, candidates, world.table, popularity)
    shares = popularity.shares(world.table.rows(candidates.ids))[:, 1]
    gains = np.array(list(wanted.values()), np.float32)
    features = compute_features(signals)
    return Judged(moment, candidates, item_ids(wanted), gains, query.kind, features, shares)


def _histories(events: pa.Table) -> dict[str, list[Event]]:
    histories: dict[str, list[Event]] = {}
    for batch in events.to_batches():
        for row in batch.to_pylist():
            histories.setdefault(row["user"], []).append(Event(**row))
    return histories


def _sample(
    histories: dict[str, list[Event]],
    window: tuple[int, int],
    options: ReplayOptions,
    rng: np.random.Generator,
) -> list[_Request]:
    """Moments just before a watch of something new, evenly over viewers."""
    moments: list[_Request] = []
    for user in sorted(histories):
        watches = [e for e in histories[user] if e.kind == "watch"]
        places = [
            p for p, e in enumerate(watches) if p >= options.history and window[0] <= e.at_ms < window[1]
        ]
        chosen = rng.permutation(places)[: options.per_user]
        for place in sorted(int(p) for p in chosen):
            watch = watches[place]
            seen = {e.item for e in watches if e.at_ms < watch.at_ms}
            if _wanted(histories[user], watch.at_ms, seen):
                kind = "search" if options.titles and rng.random() < SEARCH_SHARE else "home"
                moments.append(_Request(user, watch.at_ms, kind))
    kept = rng.permutation(len(moments))[: options.requests]
    return sorted((moments[int(k)] for k in kept), key=lambda r: (r.at_ms, r.user))


def _wanted(events: list[Event], at_ms: int, seen: set[str]) -> dict[str, float]:
    """The next watches within the horizon of items not seen before, with their gains."""
    wanted: dict[str, float] = {}
    for event in events:
        if event.kind != "watch" or not at_ms <= event.at_ms < at_ms + HORIZON_MS or event.item in seen:
            continue
        gain = gain_of(watched_share(event.watched_ms, event.duration_ms))
        if gain > 0 and len(wanted) < MAX_RELEVANT:
            wanted[event.item] = max(gain, wanted.get(event.item, 0.0))
    return wanted


def gain_of(share: float) -> float:
    """3 for nearly all of it watched, 2 for a good part, 1 for less or unknown, 0 for a quick skip."""
    if np.isnan(share):
        return 1.0
    return 0.0 if share < MIN_SHARE else 1.0 if share < GOOD_SHARE else 2.0 if share < BEST_SHARE else 3.0


def _words_of(title: str, rng: np.random.Generator) -> str:
    """One to three words of a title, in their order, as somebody who half remembers it would type."""
    words = title.split()
    count = min(len(words), int(rng.integers(1, 4)))
    return " ".join(words[p] for p in sorted(rng.permutation(len(words))[:count].tolist()))
