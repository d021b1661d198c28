"""Samples requests of the past: moments at which a viewer opened a page and then watched something new."""

import math
import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Context
from reelrank.ranking.evaluation.judged_request import FEW_WATCHES, HOME, REAL_SEARCH, SIMULATED_SEARCH
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.labels.opened_pages import OpenedPages
from reelrank.ranking.labels.watch_time import (
    BY_WATCHED_SHARE,
    collect_gains,
    find_relevant,
    select_following,
)
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.training.searches import find_search
from reelrank.ranking.viewers.histories import Histories

SEARCH_SHARE = 0.3
"""Share of the other backtested requests that are simulated searches for an item that was watched next."""
NEW_SHARE = 0.2
"""Least share of requests of new viewers that training samples. On the demo's window before the evaluation a
seventh of all learned requests ranked certainly better than the 7 % that are there (docs/benchmarks.md)."""


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """How past requests are sampled.

    requests: how many to aim for; per_user: at most so many of one viewer; history: watches a viewer must
    have before, by default none; most_history: the most that they may have. new_share: least share of
    requests of new viewers, with at most FEW_WATCHES watches, where there are enough. titles: by item id;
    searches are simulated from them. config: without exploration. grader: grades what was watched.
    """

    requests: int = 2000
    per_user: int = 40
    history: int = 0
    most_history: int = sys.maxsize
    new_share: float = 0.0
    config: RankingConfig = field(default_factory=RankingConfig)
    titles: dict[str, str] = field(default_factory=dict)
    grader: Grader = BY_WATCHED_SHARE
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SampledRequest:
    """A past request, before it is ranked.

    context: when, where and on what the page was opened. text, item: of a real search, and what was
    watched because of it. followed_by: what was watched next, if not on the day after the page.
    """

    user_id: str
    kind: str
    context: Context
    text: str = ""
    item: str = ""
    followed_by: Sequence[Event] | None = None


def sample_requests(
    histories: Histories,
    window: tuple[int, int],
    options: BacktestOptions,
    rng: np.random.Generator,
) -> list[SampledRequest]:
    """Samples requests just before a watch of something new, evenly over viewers."""
    requests, is_new = list[SampledRequest](), list[bool]()
    for user in histories.list_watchers(*window):
        events = histories[user]
        watches = [e for e in events if e.kind == "watch"]
        usable = [
            n
            for n, e in enumerate(watches[: options.most_history + 1])
            if n >= options.history and window[0] <= e.at_ms < window[1]
        ]
        first = [n for n in usable if n <= FEW_WATCHES] if options.new_share else []
        chosen = sorted({*first, *(int(n) for n in rng.permutation(usable)[: options.per_user])})
        found = _find_requests(events, [watches[n] for n in chosen], bool(options.titles), rng)
        times = [watch.at_ms for watch in watches]
        for request in (each for each in found if each.context.at_ms >= window[0]):
            requests.append(request)
            is_new.append(bisect_left(times, request.context.at_ms) <= FEW_WATCHES)
    drawn = [requests[k] for k in _draw(np.array(is_new, bool), options, rng)]
    if drawn and all(request.kind == SIMULATED_SEARCH for request in drawn):
        drawn[0] = replace(drawn[0], kind=HOME)  # evaluation needs a request that is not made up
    return sorted(drawn, key=lambda r: (r.context.at_ms, r.user_id))


def _draw(is_new: NDArray[np.bool_], options: BacktestOptions, rng: np.random.Generator) -> list[int]:
    """Draws requests, by row; those of new viewers take the places of others where their share is small."""
    order = rng.permutation(len(is_new))
    drawn, rest = order[: options.requests], order[options.requests :]
    lacking = math.ceil(options.new_share * len(drawn)) - int(is_new[drawn].sum())
    added = rest[is_new[rest]][: max(lacking, 0)]
    others = np.flatnonzero(~is_new[drawn])
    kept = np.delete(drawn, others[len(others) - len(added) :])
    return [*kept.tolist(), *added.tolist()]


def _find_requests(
    events: list[Event], watches: Sequence[Event], has_titles: bool, rng: np.random.Generator
) -> list[SampledRequest]:
    """Returns the requests that led to watches of one viewer; several watches of a page are one request."""
    opened, found, first_ms = OpenedPages(events), dict[str, SampledRequest](), dict[str, int]()
    for event in events:
        if event.kind == "watch":
            first_ms.setdefault(event.item, event.at_ms)
    for watch in watches:
        page = opened.find(watch)
        request = _find_real_search(events, watch, opened)
        if request is None:
            context = _build_context(page or watch)
            at_ms = context.at_ms
            following = select_following(events, at_ms)
            seen = {event.item for event in following if first_ms.get(event.item, at_ms) < at_ms}
            if not collect_gains(following, seen):
                continue
            kind = SIMULATED_SEARCH if has_titles and rng.random() < SEARCH_SHARE else HOME
            request = SampledRequest(watch.user, kind, context)
        name = f"page {page.request_id or page.id} {request.item}" if page else f"watch {watch.id}"
        found.setdefault(name, request)
    return list(found.values())


def _find_real_search(events: list[Event], watch: Event, opened: OpenedPages) -> SampledRequest | None:
    """Returns the search that led to a watch, before its answer was shown.

    None without one, and for a quick skip.
    """
    search = find_search(events, watch)
    if search is None or watch.item not in find_relevant(events, search.at_ms, set()):
        return None
    context = _build_context(opened.find_of_request(search) or search)
    if context.at_ms > search.at_ms:
        context = replace(context, at=_to_time(search))
    return SampledRequest(watch.user, REAL_SEARCH, context, search.text or "", watch.item)


def _build_context(opened: Event) -> Context:
    """Builds the context of a page from one of its impressions, or from what is known in its place."""
    return Context(_to_time(opened), opened.country, opened.device)


def _to_time(event: Event) -> datetime:
    time: datetime = np.datetime64(event.at_ms, "ms").astype("O").replace(tzinfo=UTC)
    return time
