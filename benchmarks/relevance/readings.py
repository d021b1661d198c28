"""Home pages of a history, ranked by the product and judged by what their viewers watched afterwards.

Three readings: (a) what is watched within a day of a page, as of its time; (b) everything that is watched
later; (c) each viewer's own last watches held out, for a page at the end of the history, however long the
viewer was away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.app.jobs.history import History
from reelrank.app.jobs.training import collect_training_set, open_backtest_index
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.match import ItemIds
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.embeddings.watches import Watches, select_watches
from reelrank.ranking.evaluation.baselines import MIN_HISTORY, PastPages
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.items.engagements import QUICK_SKIP_SHARE
from reelrank.ranking.items.popularity.event_counts import build_popularity
from reelrank.ranking.pipeline import Ranking
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.backtest import backtest, rank_past_request
from reelrank.ranking.training.lambdarank import train_ranker
from reelrank.ranking.training.past_requests import BacktestOptions
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.query_vectors import build_request

HELD_OUT_SHARE = 0.15
SERVED, FUSED = "served", "fused"


@dataclass(frozen=True, slots=True)
class HomePlan:
    """How many requests and viewers home pages are measured with.

    training: requests that the model learns from. per_viewer: most pages of one viewer in readings a and
    b. viewers: most viewers of reading c.
    """

    training: int
    per_viewer: int
    viewers: int


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPages:
    """p pages: whose they are, what was watched before and after, and the order of the product's systems."""

    users: NDArray[np.str_]
    past: PastPages
    relevant: Sequence[ItemIds]
    ranked: Mapping[str, Sequence[ItemIds]]

    def take(self, rows: NDArray[np.intp]) -> "JudgedPages":
        def pick(lists: Sequence[ItemIds]) -> list[ItemIds]:
            return [lists[row] for row in rows.tolist()]

        past = PastPages(self.past.at_ms[rows], pick(self.past.seen))
        ranked = {name: pick(lists) for name, lists in self.ranked.items()}
        return JudgedPages(self.users[rows], past, pick(self.relevant), ranked)


def train_model(history: History, plan: HomePlan, progress: Progress) -> LambdaRank:
    """Trains as `reelrank train` does, on requests before the evaluation window."""
    training = collect_training_set(history, progress, plan.training)
    trained = train_ranker(training, FEATURE_NAMES, progress)
    return LambdaRank("relevance", FEATURE_NAMES, trained.model_text)


def rank_window(history: History, ranker: LambdaRank, plan: HomePlan, progress: Progress) -> JudgedPages:
    """Ranks home pages of the evaluation window as of their times, judged by the day that followed."""
    window = (history.evaluation_ms, history.end_ms)
    options = BacktestOptions(
        requests=10**6, per_user=plan.per_viewer, history=MIN_HISTORY, config=history.container.config
    )
    with open_backtest_index(history, history.evaluation_ms, progress) as index:
        world = replace(index, ranker=ranker)
        return _collect(list(backtest(history.events, world, window, options, progress)))


def judge_by_all_later(pages: JudgedPages, watches: Watches) -> JudgedPages:
    """Returns the same pages judged by everything new that their viewers watched afterwards."""
    relevant = []
    for user, at_ms, seen in zip(pages.users, pages.past.at_ms.tolist(), pages.past.seen, strict=True):
        is_of_viewer = watches.users == np.searchsorted(watches.user_ids, user)
        later = is_of_viewer & (watches.at_ms >= at_ms) & (watches.weights >= QUICK_SKIP_SHARE)
        relevant.append(np.setdiff1d(watches.item_ids[np.unique(watches.items[later])], seen))
    return replace(pages, relevant=relevant)


def hold_out_last(events: pa.Table) -> tuple[pa.Table, dict[str, ItemIds]]:
    """Removes each viewer's last HELD_OUT_SHARE of watches; returns the rest, and the new items among them.

    Viewers who would keep fewer than MIN_HISTORY watches keep all of theirs.
    """
    ordered = events.filter(pc.equal(events["kind"], "watch"))
    ordered = ordered.sort_by([("user", "ascending"), ("at_ms", "ascending"), ("id", "ascending")])
    users = ordered["user"].to_numpy().astype(np.str_)
    starts = np.flatnonzero(np.concatenate([[True], users[1:] != users[:-1]]))
    counts = np.diff(np.append(starts, len(users)))
    held = np.maximum(1, (counts * HELD_OUT_SHARE).astype(np.int64))
    held[counts - held < MIN_HISTORY] = 0
    position = np.arange(len(users)) - np.repeat(starts, counts)
    is_held = position >= np.repeat(counts - held, counts)
    kept, last = ordered.filter(pa.array(~is_held)), select_watches(ordered.filter(pa.array(is_held)), 2**62)
    before = select_watches(kept, 2**62)
    found = {}
    for code, user in enumerate(last.user_ids.tolist()):
        items = last.items[(last.users == code) & (last.weights >= QUICK_SKIP_SHARE)]
        seen = before.items[before.users == np.searchsorted(before.user_ids, user)]
        found[user] = np.setdiff1d(last.item_ids[np.unique(items)], before.item_ids[seen])
    return kept, {user: ids for user, ids in found.items() if len(ids)}


def rank_returning_viewers(
    history: History, held_out: dict[str, ItemIds], ranker: LambdaRank, progress: Progress
) -> JudgedPages:
    """Ranks a home page at the end of the history for each viewer with held-out watches."""
    at_ms = history.end_ms
    groups = _group_watches(history.events, set(held_out))
    ranked, seen = dict[str, list[ItemIds]](), list[ItemIds]()
    with open_backtest_index(history, at_ms, progress) as index:
        world = replace(index, ranker=ranker)
        popularity = build_popularity(index.table, history.events.to_batches())
        time = np.datetime64(at_ms, "ms").astype("O")
        for done, user in enumerate(held_out):
            viewer = build_viewer(user, groups[user], at_ms)
            query = Query(
                user=user, context=Context(time.replace(tzinfo=history.container.clock.now().tzinfo))
            )
            request = build_request(query, viewer, index.table, index.encoder)
            ranking = rank_past_request(request, world, popularity, history.container.config)
            seen.append(viewer.seen)
            for name, ids in _list_orders(ranking).items():
                ranked.setdefault(name, []).append(ids)
            progress("ranking home pages", done + 1, len(held_out))
    past = PastPages(np.full(len(held_out), at_ms), seen)
    return JudgedPages(np.array(list(held_out)), past, list(held_out.values()), ranked)


def find_last_watch(pages: JudgedPages, watches: Watches) -> NDArray[np.int64]:
    """Returns the time [p] of the last of these watches of each page's viewer."""
    last = np.zeros(len(watches.user_ids), np.int64)
    np.maximum.at(last, watches.users, watches.at_ms)
    return np.asarray(last[np.searchsorted(watches.user_ids, pages.users)])


def _collect(judged: Sequence[JudgedRequest]) -> JudgedPages:
    requests = [judged_request.request for judged_request in judged]
    return JudgedPages(
        np.array([request.viewer.user for request in requests]),
        PastPages(
            np.array([request.query.context.at_ms for request in requests], np.int64),
            [request.viewer.seen for request in requests],
        ),
        [judged_request.relevant for judged_request in judged],
        {
            SERVED: [judged_request.candidates.ids[judged_request.order] for judged_request in judged],
            FUSED: [judged_request.candidates.ids for judged_request in judged],
        },
    )


def _list_orders(ranking: Ranking) -> dict[str, ItemIds]:
    ids = ranking.found.candidates.ids
    return {SERVED: ids[ranking.order], FUSED: ids}


def _group_watches(events: pa.Table, users: set[str]) -> dict[str, list[Event]]:
    user_events = events.filter(pc.is_in(events["user"], pa.array(sorted(users))))
    groups: dict[str, list[Event]] = {user: [] for user in users}
    for row in user_events.to_pylist():
        groups[row["user"]].append(Event(**row))
    return groups
