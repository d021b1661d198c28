"""Evaluates logged pages as they were served, beside other orders for the same requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.app.jobs.served.baselines import ComparedRequest, list_catalogue_orders, list_orders
from reelrank.app.jobs.served.logged_requests import LoggedRequests, ServedBy, select_requests, to_time
from reelrank.app.jobs.served.pages import read_exported_pages, read_served_pages
from reelrank.app.jobs.served.replay import open_serving_index
from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.arrow_columns import find_indices, to_array, to_texts
from reelrank.ranking.evaluation.served.days import measure_days, write_days
from reelrank.ranking.evaluation.served.measure import (
    SIMULATED,
    ServedQuality,
    measure_explored,
    measure_served,
)
from reelrank.ranking.evaluation.served.orders import (
    SERVED,
    JudgedOrders,
    OrderQuality,
    measure_orders,
    select_wanted,
)
from reelrank.ranking.evaluation.served.reliability import Reliability, measure_reliability
from reelrank.ranking.evaluation.served.wanted import CUTOFF, ServedPages, ServedRules, find_wanted
from reelrank.ranking.progress import Progress

COMPARED = 500
"""Requests that are ranked again, by default: those of a service take about 20 ms each."""


@dataclass(frozen=True, slots=True)
class ServedEvaluation:
    """qualities: of the pages as served, the whole first. orders: of several systems on the same `compared`
    requests. left_out: answered requests that cannot be compared, by reason. reliability: by slice."""

    qualities: list[ServedQuality]
    orders: list[OrderQuality]
    reliability: list[Reliability]
    compared: int
    left_out: Mapping[str, int]


def evaluate_served(
    container: Container, days: float, progress: Progress, compared: int = COMPARED
) -> ServedEvaluation:
    """Evaluates the pages of the last days; at most `compared` of them beside other orders, 0 for none.

    It writes the measures by day into the reports. Raises NotFound when the lake has no page of these days.
    """
    pages = read_served_pages(container, days, progress)
    write_days(container.settings.reports_dir, measure_days(pages, container.clock.now()))
    explored = measure_explored(pages)
    qualities = [*measure_served(pages), *([explored] if explored else [])]
    orders, left_out, count = list[OrderQuality](), dict[str, int](), 0
    if compared and container.engine.serving_version():
        judged, found = _judge_orders(container, pages, compared, progress)
        left_out = dict(found)
        count = len(judged.wanted)
        orders = measure_orders(judged) if count else []
    return ServedEvaluation(qualities, orders, measure_reliability(pages), count, left_out)


def _judge_orders(
    container: Container, pages: ServedPages, most: int, progress: Progress
) -> tuple[JudgedOrders, Mapping[str, int]]:
    """Ranks a sample of the answered requests of the serving version again."""
    wanted, ids = find_wanted(pages, ServedRules()), to_texts(pages.requests["request_id"])
    selected = select_answered(container, pages, frozenset(ids[np.unique(wanted.request)].tolist()), most)
    compared = _rank_again(container, selected, progress) if len(selected.rows) else []
    rows = find_indices(pa.array([one.request_id for one in compared], pa.string()), pa.array(ids))
    marks = np.where(pages.find_simulated()[rows], SIMULATED, "")
    lists: dict[str, Sequence[ItemIds | None]] = {SERVED: _list_served(pages, rows)}
    for name in compared[0].lists if compared else ():
        lists[name] = [one.lists[name] for one in compared]
    lists |= list_catalogue_orders(container, compared)
    return JudgedOrders(
        np.char.add(marks, np.array([one.surface for one in compared], np.str_)),
        pages.name_viewers()[rows],
        lists,
        [select_wanted(wanted, row) for row in rows.tolist()],
    ), selected.left_out


def select_answered(
    container: Container, pages: ServedPages, answered: frozenset[str], most: int
) -> LoggedRequests:
    """Selects answered requests that the serving index version ranked: another has learned from them."""
    at_ms = to_array(pages.requests["at_ms"], np.int64)
    span = to_time(int(at_ms.min())), to_time(int(at_ms.max()) + 1)
    lake = Lake(build_lake_storage(container.settings))
    served_by = ServedBy(container.engine.serving_version() or "")
    return select_requests(lake, span, served_by, most, answered)


def _rank_again(container: Container, selected: LoggedRequests, progress: Progress) -> list[ComparedRequest]:
    serving = open_serving_index(container)
    ranked = serving.replay(selected, 0, serving.read_viewers(selected), progress)
    return [
        ComparedRequest(again.row["request_id"], again.row["surface"], again.request, list_orders(again))
        for again in ranked
    ]


def _list_served(pages: ServedPages, rows: NDArray[np.int64]) -> list[ItemIds | None]:
    """Returns the first items that each of these requests showed, in the order of their positions."""
    outcomes = pages.outcomes.select(["request_id", "position", "item"])
    asked = pages.requests["request_id"].take(pa.array(rows))
    request = find_indices(outcomes["request_id"], asked)
    positions = to_array(outcomes["position"], np.int64)
    shown = np.lexsort((positions, request))
    begins = np.searchsorted(request[shown], np.arange(len(rows) + 1))
    items = outcomes["item"].take(pa.array(shown))
    return [
        encode_item_ids(items.slice(begin, min(end - begin, CUTOFF)).to_pylist())
        for begin, end in pairwise(begins.tolist())
    ]


def renew_days(container: Container, days: float, progress: Progress) -> None:
    """Measures the exported pages of the last days by day, for the operator pages; nothing without pages."""
    try:
        pages = read_exported_pages(container, days, progress)
    except NotFound:
        return
    write_days(container.settings.reports_dir, measure_days(pages, container.clock.now()))
