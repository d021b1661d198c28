"""The cost of each feature, measured on a real request: the home page of the most recent viewer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median

import numpy as np

from reelrank.app.wiring import Container
from reelrank.index_mappings.encoder import choose_encoder
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.column import compact_column
from reelrank.ranking.embeddings.watches import build_event_table
from reelrank.ranking.features.batching import plan_evaluation
from reelrank.ranking.features.compute import FEATURE_NAMES, FEATURES
from reelrank.ranking.features.declare import Columns, return_unchanged
from reelrank.ranking.items.popularity.event_counts import build_popularity
from reelrank.ranking.items.table import ItemTable, open_table
from reelrank.ranking.retrieval.candidates import build_candidates
from reelrank.ranking.retrieval.sources import plan_sources, query_source
from reelrank.ranking.signals.observe import build_observers
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.query_vectors import build_request
from reelrank.ranking.viewers.request import RankingRequest

TIMEOUT_S = 10.0
RECENT_EVENTS = 2000
CANDIDATE_COUNT = 1000
REPEATS = 25


@dataclass(frozen=True, slots=True)
class FeatureCosts:
    """Median CPU microseconds per 1,000 candidates.

    signal_costs_us: by group of signals. feature_costs_us: by feature, from its signals; features that are
    computed together share their cost equally. candidate_count: of the request, repeated to make 1,000.
    """

    candidate_count: int
    signal_costs_us: dict[str, float]
    feature_costs_us: dict[str, float]


def measure_feature_costs(container: Container) -> FeatureCosts:
    """Measures the costs. Raises NotFound without an index version or without events."""
    version = container.engine.serving_version()
    if version is None:
        raise NotFound(
            "no index version serves; load items first: reelrank load items FILE", code="no_items_loaded"
        )
    table = open_table(container.settings.tables_dir / version)
    request = _build_last_home_request(container, table)
    popularity = build_popularity(table, container.events.scan(0, MAX_TIME_MS))
    plans = plan_sources(request, table, container.config)
    matches = [query_source(plan, container.engine, table, popularity, TIMEOUT_S) for plan in plans]
    found = build_candidates(request, matches, table)
    if not len(found.rows):
        raise NotFound(
            "the last viewer's home page has no candidates; run: reelrank train", code="no_candidates"
        )
    thousand = found.take(np.resize(np.arange(len(found.rows)), CANDIDATE_COUNT))
    groups = build_observers(request, thousand, table, popularity)
    columns = {name: compact_column(column) for group in groups.values() for name, column in group().items()}
    observing = {name: _measure_median_us(group) for name, group in groups.items()}
    return FeatureCosts(len(found.rows), observing, _measure_features(columns))


def _measure_features(columns: Columns) -> dict[str, float]:
    plan = plan_evaluation(FEATURES)
    costs = {
        signal: _measure_median_us(partial(return_unchanged, columns[signal]))
        for _, signal in plan.passthrough
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        for positions, formula in plan.computed:
            names = np.atleast_1d(np.array(FEATURE_NAMES)[positions]).tolist()
            costs |= dict.fromkeys(names, _measure_median_us(partial(formula.derive, columns)) / len(names))
    return costs


def _build_last_home_request(container: Container, table: ItemTable) -> RankingRequest:
    events = build_event_table(container.events.scan(0, MAX_TIME_MS))
    if not len(events):
        raise NotFound("there are no events; load some: reelrank load events FILE", code="no_events")
    last = int(np.argmax(events["at_ms"].to_numpy()))
    user, at_ms = str(events["user"][last]), int(events["at_ms"][last].as_py()) + 1
    recent = container.events.recent(user, RECENT_EVENTS, TIMEOUT_S)
    context = Context(at=datetime.fromtimestamp(at_ms / 1000, UTC))
    query = Query(user=user, context=context)
    return build_request(
        query, build_viewer(user, recent, at_ms), table, choose_encoder(container.encoder, table.version)
    )


def _measure_median_us(task: Callable[[], object]) -> float:
    """Measures CPU time, which other load barely changes. The first run fills caches and does not count."""
    task()
    spent = []
    for _ in range(REPEATS):
        started = time.thread_time_ns()
        task()
        spent.append(time.thread_time_ns() - started)
    return median(spent) / 1000
