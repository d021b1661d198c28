"""Pages of similar items beside what EASE, item-kNN and ALS say of the same item alone.

The truth is made by viewers: a page is asked for an item that a viewer watched, as a stranger would see it,
and judged by what the same viewer watched later, which is held out of everything that is learned.
"""

from dataclasses import replace
from datetime import UTC

import numpy as np

from benchmarks.relevance.home import HomeResult, compare_systems
from benchmarks.relevance.readings import HELD_OUT_SHARE, SERVED, JudgedPages, hold_out_last
from reelrank.app.jobs.history import History, split_by_time
from reelrank.app.jobs.training import open_backtest_index
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.index_mappings.match import ItemIds
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.embeddings.watches import Watches, select_watches
from reelrank.ranking.evaluation.baselines import PastPages, rank_by_baselines
from reelrank.ranking.items.engagements import QUICK_SKIP_SHARE
from reelrank.ranking.items.popularity.event_counts import build_popularity
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.backtest import BacktestIndex, rank_past_request
from reelrank.ranking.viewers.history import build_anonymous_viewer
from reelrank.ranking.viewers.query_vectors import build_request

VIEWERS, SMALL_VIEWERS = 10**6, 250
SEEDS = 5
"""Newest kept watches of a viewer that pages are asked for: one alone says little. A choice."""
READING = (
    f"items similar to one of a viewer's newest {SEEDS}, judged by their held-out last {HELD_OUT_SHARE:.0%}"
)


def measure_similar(history: History, viewers: int, progress: Progress) -> list[HomeResult]:
    """Measures at most `viewers` viewers, chosen with seed 0. Relevance is binary.

    A page may show what the viewer has watched before, in every system: a stranger's page would.
    """
    kept, held_out = hold_out_last(history.events)
    earlier = split_by_time(replace(history, events=kept))
    watches = select_watches(kept, MAX_TIME_MS)
    chosen = np.random.default_rng(0).permutation(sorted(held_out))[:viewers]
    pairs = [(str(user), seed) for user in np.sort(chosen) for seed in list_newest_items(watches, str(user))]
    with open_backtest_index(earlier, earlier.end_ms, progress) as index:
        ranked = _rank_pages(earlier, index, [seed for _, seed in pairs], progress)
    seen = [np.array([seed]) for _, seed in pairs]
    past = PastPages(np.full(len(pairs), earlier.end_ms), seen)
    relevant = [held_out[user] for user, _ in pairs]
    pages = JudgedPages(np.array([user for user, _ in pairs]), past, relevant, {SERVED: ranked})
    return compare_systems(READING, pages, rank_by_baselines(watches, past))


def list_newest_items(watches: Watches, user: str) -> list[bytes]:
    """Returns the newest SEEDS items that a viewer watched, quick skips left out, newest first."""
    is_own = watches.users == np.searchsorted(watches.user_ids, user)
    items = watches.items[is_own & (watches.weights >= QUICK_SKIP_SHARE)]
    newest = dict.fromkeys(items[::-1].tolist())
    return [watches.item_ids[item] for item in list(newest)[:SEEDS]]


def _rank_pages(
    history: History, index: BacktestIndex, seeds: list[bytes], progress: Progress
) -> list[ItemIds]:
    """Returns the page of each item as a stranger sees it at the end of the history."""
    popularity = build_popularity(index.table, history.events.to_batches())
    context = Context(np.datetime64(history.end_ms, "ms").astype("O").replace(tzinfo=UTC))
    orders = dict[bytes, ItemIds]()
    for done, seed in enumerate(seeds):
        if seed not in orders:
            query = Query(similar_to=seed.decode(), context=context)
            request = build_request(query, build_anonymous_viewer(), index.table, index.encoder)
            ranking = rank_past_request(request, index, popularity, history.container.config)
            orders[seed] = ranking.found.candidates.ids[ranking.order]
        progress("ranking similar items", done + 1, len(seeds))
    return [orders[seed] for seed in seeds]
