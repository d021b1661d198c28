"""Backtest: requests of the past, ranked by the pipeline as of their own time and judged by what followed.

Each request sees its viewer, the popularity and the embeddings as they were then, never later.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.engine import Matcher
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.evaluation.half_life import PastPage
from reelrank.ranking.evaluation.judged_request import HOME, REAL_SEARCH, SIMULATED_SEARCH, JudgedRequest
from reelrank.ranking.features.compute import compute_features
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.event_counts import count_events
from reelrank.ranking.items.popularity.half_lives import find_half_life
from reelrank.ranking.items.spelling.synonyms import NO_SYNONYMS, Synonyms
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.labels.watch_time import collect_gains, find_relevant
from reelrank.ranking.pipeline import Ranking, RankingContext, SourceAnswers, rank_request
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.retrieval.sources import SourceRequest, query_source
from reelrank.ranking.training.past_requests import BacktestOptions, SampledRequest, sample_requests
from reelrank.ranking.training.returning import ReturningViewers
from reelrank.ranking.training.searches import simulate_search
from reelrank.ranking.viewers.histories import Histories
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.query_vectors import build_request
from reelrank.ranking.viewers.request import RankingRequest

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class BacktestIndex:
    """What requests are ranked with: item table, matcher, text encoder, ranker and synonyms."""

    table: ItemTable
    matcher: Matcher
    encoder: TextEncoder
    ranker: Ranker = field(default_factory=FusedOrder)
    synonyms: Synonyms = NO_SYNONYMS


def backtest(
    events: pa.Table,
    index: BacktestIndex,
    window: tuple[int, int],
    options: BacktestOptions,
    progress: Progress = ignore_progress,
) -> Iterator[JudgedRequest]:
    """Yields judged requests sampled in a window [from, to) of milliseconds, in the order of time.

    Each was followed by a watch. `events`: EVENT_SCHEMA, in any order.
    """
    ordered = events.sort_by([("at_ms", "ascending"), ("id", "ascending")]).combine_chunks()
    histories = Histories(ordered)
    rng = np.random.default_rng(options.seed)
    requests = sample_requests(histories, window, options, rng)
    for done, (request, popularity) in enumerate(_count_until(ordered, index.table, requests)):
        yield _judge_request(request, histories[request.user_id], index, popularity, (options, rng))
        progress("replaying history", done + 1, len(requests))


def backtest_returning(
    returning: ReturningViewers, index: BacktestIndex, at_ms: int, options: BacktestOptions
) -> Iterator[JudgedRequest]:
    """Yields home pages of returning viewers at a time, judged by their held-out watches."""
    context = Context(np.datetime64(at_ms, "ms").astype("O").replace(tzinfo=UTC))
    held_out = sorted(returning.held_out.items())
    requests = [SampledRequest(user, HOME, context, followed_by=watches) for user, watches in held_out]
    is_own = pc.is_in(returning.kept["user"], pa.array([user for user, _ in held_out], pa.string()))
    histories, rng = Histories(returning.kept.filter(is_own)), np.random.default_rng(options.seed)
    for request, popularity in _count_until(returning.kept, index.table, requests):
        yield _judge_request(request, histories[request.user_id], index, popularity, (options, rng))


def replay_popularity(
    events: pa.Table, table: ItemTable, window: tuple[int, int], options: BacktestOptions
) -> Iterator[PastPage]:
    """Yields past home pages with the popularity of their times; nothing is retrieved or ranked."""
    ordered = events.sort_by([("at_ms", "ascending"), ("id", "ascending")]).combine_chunks()
    histories = Histories(ordered)
    requests = sample_requests(histories, window, options, np.random.default_rng(options.seed))
    for sampled, popularity in _count_until(ordered, table, requests):
        viewer = build_viewer(sampled.user_id, histories[sampled.user_id], sampled.context.at_ms)
        seen = {item.decode() for item in viewer.seen.tolist()}
        gains = find_relevant(histories[sampled.user_id], sampled.context.at_ms, seen)
        if sampled.kind == HOME:
            yield PastPage(viewer, popularity, gains)


def rank_past_request(
    request: RankingRequest, index: BacktestIndex, popularity: Popularity, config: RankingConfig
) -> Ranking:
    """Ranks as a page would be ranked, without exploration and with one source after the other."""

    def run_sources(requests: Sequence[SourceRequest]) -> SourceAnswers:
        return SourceAnswers(
            [query_source(source, index.matcher, index.table, popularity, TIMEOUT_S) for source in requests]
        )

    context = RankingContext(index.table, popularity, index.ranker, config.without_exploration())
    return rank_request(request, context, run_sources)


def build_judged_request(
    request: RankingRequest, ranking: Ranking, gains: Mapping[str, float], popularity: NDArray[np.float32]
) -> JudgedRequest:
    """Builds a judged request from its ranking and the gain, above 0, of each relevant item.

    popularity [n]: of the candidates.
    """
    return JudgedRequest(
        request,
        ranking.found.candidates,
        encode_item_ids(gains),
        np.array(list(gains.values()), np.float32),
        request.query.kind,
        compute_features(ranking.signals),
        popularity,
        ranking.scores,
        ranking.order,
    )


def _count_until(
    ordered: pa.Table, table: ItemTable, requests: Sequence[SampledRequest]
) -> Iterator[tuple[SampledRequest, Popularity]]:
    """Yields each request with the popularity before it; the counters are the same and go on counting."""
    popularity = Popularity(len(table))
    times, counted = ordered["at_ms"].to_numpy(), 0
    for request in requests:
        until = int(np.searchsorted(times, request.context.at_ms))
        for batch in ordered.slice(counted, until - counted).to_batches():
            count_events(popularity, table, batch)
        counted = until
        yield request, popularity


def _judge_request(
    sampled: SampledRequest, events: list[Event], index: BacktestIndex, popularity: Popularity,
    sampling: tuple[BacktestOptions, np.random.Generator],
) -> JudgedRequest:  # fmt: skip
    options, rng = sampling
    grader = options.grader
    viewer = build_viewer(sampled.user_id, events, sampled.context.at_ms)
    text, at_ms = sampled.text, sampled.context.at_ms
    if sampled.kind == REAL_SEARCH:  # people also search for what they have watched
        gains = {sampled.item: find_relevant(events, at_ms, set(), grader)[sampled.item]}
    else:
        seen = {i.decode() for i in viewer.seen.tolist()}
        later = sampled.followed_by
        if later is None:
            gains = find_relevant(events, at_ms, seen, grader)
        else:
            gains = collect_gains(later, seen, grader)
    if sampled.kind == SIMULATED_SEARCH:
        gains = dict([max(gains.items(), key=lambda pair: pair[1])])
        text = simulate_search(options.titles.get(next(iter(gains)), ""), rng)
    query = Query(text=text or None, user=sampled.user_id, context=sampled.context)
    request = build_request(query, viewer, index.table, index.encoder, index.synonyms)
    ranking = rank_past_request(request, index, popularity, options.config)
    half_life = find_half_life(options.config.popular_half_life_days)
    shares = popularity.compute_shares(ranking.found.rows)[:, half_life]
    return replace(build_judged_request(request, ranking, gains, shares), kind=sampled.kind)
