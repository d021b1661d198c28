"""What each feature costs on a real request of this house: the home page of who was here last."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median

import numpy as np

from app.wiring import Parts
from index_mappings.errors import NotFound
from index_mappings.query import Context, Query
from ranking.column import stored
from ranking.features.compute import FEATURE_NAMES, FEATURES
from ranking.features.declare import Columns, observed
from ranking.features.together import steps
from ranking.item_table import ItemTable, open_table
from ranking.moment import Moment
from ranking.popularity import popularity_from
from ranking.signals import observers
from ranking.sources import answer, candidates_of, plan
from ranking.vectors import moment_of
from ranking.viewer import viewer_as_of
from ranking.watches import event_table

FOREVER_MS = 2**62
PATIENCE_S = 10.0
RECENT_EVENTS = 2000
CANDIDATES = 1000
REPEATS = 25


@dataclass(frozen=True, slots=True)
class FeatureCosts:
    """Medians in microseconds of CPU per 1,000 candidates. observing: of each group of signals; deriving: of
    each feature from its signals, where those that are derived together share what it costs. found: how many
    candidates the request had; repeated to make 1,000.
    """

    found: int
    observing: dict[str, float]
    deriving: dict[str, float]


def feature_costs(parts: Parts) -> FeatureCosts:
    """Raises NotFound when there is no index version or nobody has done anything yet."""
    version = parts.engine.serving_version()
    if version is None:
        raise NotFound("no index version serves; load items first: reelrank load items FILE")
    table = open_table(parts.settings.tables_dir / version)
    moment = _last_home_page(parts, table)
    popularity = popularity_from(table, parts.events.scan(0, FOREVER_MS))
    requests = plan(moment, table, parts.caps)
    matches = [answer(r, parts.engine, table, popularity, PATIENCE_S) for r in requests]
    candidates = candidates_of(moment, matches, table)
    if not len(candidates):
        raise NotFound("the last viewer's home page has no candidates; run: reelrank train")
    thousand = candidates.take(np.resize(np.arange(len(candidates)), CANDIDATES))
    groups = observers(moment, thousand, table, popularity)
    columns = {name: stored(column) for group in groups.values() for name, column in group().items()}
    observing = {name: _median_us(group) for name, group in groups.items()}
    return FeatureCosts(len(candidates), observing, _deriving(columns))


def _deriving(columns: Columns) -> dict[str, float]:
    asked = steps(FEATURES)
    costs = {signal: _median_us(partial(observed, columns[signal])) for _, signal in asked.observed}
    with np.errstate(divide="ignore", invalid="ignore"):
        for places, formula in asked.derived:
            names = np.atleast_1d(np.array(FEATURE_NAMES)[places]).tolist()
            costs |= dict.fromkeys(names, _median_us(partial(formula.derive, columns)) / len(names))
    return costs


def _last_home_page(parts: Parts, table: ItemTable) -> Moment:
    events = event_table(parts.events.scan(0, FOREVER_MS))
    if not len(events):
        raise NotFound("there are no events; load some: reelrank load events FILE")
    last = int(np.argmax(events["at_ms"].to_numpy()))
    user, at_ms = str(events["user"][last]), int(events["at_ms"][last].as_py()) + 1
    recent = parts.events.recent(user, RECENT_EVENTS, PATIENCE_S)
    context = Context(at=datetime.fromtimestamp(at_ms / 1000, UTC))
    query = Query(user=user, context=context)
    return moment_of(query, viewer_as_of(user, recent, at_ms), table, parts.encoder)


def _median_us(work: Callable[[], object]) -> float:
    """CPU time, so that a busy machine tells the same; the first run fills the caches and is not counted."""
    work()
    spent = []
    for _ in range(REPEATS):
        started = time.thread_time_ns()
        work()
        spent.append(time.thread_time_ns() - started)
    return median(spent) / 1000
