"""Samples requests of the past: moments at which a viewer opened a page and then watched something new."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Context
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.labels.watch_time import BY_WATCHED_SHARE, find_relevant
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.training.searches import find_search

SEARCH_SHARE = 0.3
"""Share of the other backtested requests that are simulated searches for an item that was watched next."""
HOME, SIMULATED_SEARCH, REAL_SEARCH = "home", "search", "real search"


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """How past requests are sampled.

    requests: how many to aim for; per_user: at most so many of one viewer; history: watches a viewer must
    have before. titles: by item id; searches are simulated from them. config: without exploration. grader:
    grades what was watched.
    """

    requests: int = 2000
    per_user: int = 40
    history: int = 5
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


def group_by_user(events: pa.Table) -> dict[str, list[Event]]:
    """Returns the events of each viewer, in their order."""
    histories: dict[str, list[Event]] = {}
    for batch in events.to_batches():
        for row in batch.to_pylist():
            histories.setdefault(row["user"], []).append(Event(**row))
    return histories


def sample_requests(
    histories: dict[str, list[Event]],
    window: tuple[int, int],
    options: BacktestOptions,
    rng: np.random.Generator,
) -> list[SampledRequest]:
    """Samples requests just before a watch of something new, evenly over viewers."""
    requests: list[SampledRequest] = []
    for user in sorted(histories):
        watches = [e for e in histories[user] if e.kind == "watch"]
        usable = [
            n for n, e in enumerate(watches) if n >= options.history and window[0] <= e.at_ms < window[1]
        ]
        chosen = rng.permutation(usable)[: options.per_user]
        for number in sorted(int(n) for n in chosen):
            watch = watches[number]
            if (search := _find_real_search(histories[user], watch)) is not None:
                requests.append(search)
                continue
            seen = {e.item for e in watches if e.at_ms < watch.at_ms}
            if find_relevant(histories[user], watch.at_ms, seen):
                kind = SIMULATED_SEARCH if options.titles and rng.random() < SEARCH_SHARE else HOME
                requests.append(SampledRequest(user, kind, _build_context(histories[user], watch)))
    sampled = rng.permutation(len(requests))[: options.requests]
    return sorted((requests[int(k)] for k in sampled), key=lambda r: (r.context.at_ms, r.user_id))


def _find_real_search(events: list[Event], watch: Event) -> SampledRequest | None:
    """Returns the search that led to a watch; None without one, and for a quick skip."""
    search = find_search(events, watch)
    if search is None or watch.item not in find_relevant(events, search.at_ms, set()):
        return None
    return SampledRequest(
        watch.user, REAL_SEARCH, _build_context(events, search), search.text or "", watch.item
    )


def _build_context(events: list[Event], watch: Event) -> Context:
    """Builds the context of a watch or a search, with device and country of its page if it has them."""
    same_page = (e for e in events if watch.request_id and e.request_id == watch.request_id)
    opened = next((e for e in same_page if e.kind == "impression"), watch)
    time = np.datetime64(watch.at_ms, "ms").astype("O").replace(tzinfo=UTC)
    return Context(time, opened.country, opened.device)
