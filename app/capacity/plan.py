"""The plan: figures of storage, learning, serving and network that follow from the assumptions."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from math import ceil

from reelrank.app.capacity.assumptions import Assumptions

DAYS_PER_MONTH, DAY_S = 30, 86_400
PRIMER_BYTES = 500
"""An impression as the primer counts it; 750 billion of them are its 0.4 PB a month."""
FEATURE_BYTES = 4
FACTORS = (0.5, 2.0)
"""What an assumption is multiplied with, to see how much depends on it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, with the fewest and with the most candidates; the same where these do not matter."""

    section: str
    name: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """A figure when one assumption is half and twice as much; shares are at most 1."""

    assumption: str
    halved: float
    doubled: float


def plan_capacity(given: Assumptions, features: int) -> list[Figure]:
    """Returns all figures. features: columns of a training row."""
    lowest, highest = (
        [*_plan(given, candidates, features)] for candidates in (given.candidates_low, given.candidates_high)
    )
    return [
        Figure(section, name, unit, low, high)
        for (section, name, unit, low), (*_, high) in zip(lowest, highest, strict=True)
    ]


def count_serving_nodes(given: Assumptions, candidates: float) -> float:
    """Returns the machines that serve: as many as their cores and their network need."""
    cores = count_serving_cores(given, candidates)
    gbit = given.requests_per_second * given.response_bytes * 8 / 1e9
    by_network = gbit / (given.node_gbit * given.utilisation)
    return max(cores / given.cores_per_node, by_network)


def count_serving_cores(given: Assumptions, candidates: float) -> float:
    """Returns the cores that serve at the busiest time."""
    page_s = given.request_ms / 1e3 + candidates * given.candidate_us / 1e6
    return given.requests_per_second * page_s / given.utilisation


def count_pages(given: Assumptions) -> float:
    """Returns the pages of a month that led to the recommended views."""
    return given.views_per_month * given.recommended_share / given.watched_per_page


def count_lake_bytes(given: Assumptions, candidates: float) -> float:
    """Returns the bytes that a month adds to the lake, one copy."""
    shown = given.page_items * given.impression_bytes
    groups = given.log_share * max(candidates - given.page_items, 0) * given.group_row_bytes
    return count_pages(given) * (shown + groups + given.events_per_page * given.event_bytes)


def count_stored_bytes(given: Assumptions, candidates: float) -> float:
    """Returns the bytes of the days that the lake keeps, all copies."""
    return count_lake_bytes(given, candidates) * given.kept_days / DAYS_PER_MONTH * given.copies


def find_sensitivity(given: Assumptions, figure: str) -> list[Sensitivity]:
    """Returns what halving and doubling each assumption does to `serving` nodes or `stored` bytes.

    With the most candidates. The assumptions that matter most come first; those that do nothing are left out.
    """
    count = {"serving": count_serving_nodes, "stored": count_stored_bytes}[figure]
    found = [
        Sensitivity(one.name, *(_count_with(given, one.name, factor, figure) for factor in FACTORS))
        for one in fields(Assumptions)
    ]
    present = count(given, given.candidates_high)
    moved = [one for one in found if (one.halved, one.doubled) != (present, present)]
    return sorted(moved, key=lambda one: -abs(one.doubled - one.halved))


def _count_with(given: Assumptions, name: str, factor: float, figure: str) -> float:
    is_share = name in ("recommended_share", "log_share", "utilisation", "disk_fill")
    value = getattr(given, name) * factor
    changed = replace(given, **{name: min(value, 1.0) if is_share else value})
    count = count_serving_nodes if figure == "serving" else count_stored_bytes
    return count(changed, changed.candidates_high)


def _plan(given: Assumptions, candidates: float, features: int) -> Iterator[tuple[str, str, str, float]]:
    yield from _plan_traffic(given)
    yield from _plan_storage(given, candidates)
    yield from _plan_learning(given, candidates, features)
    yield from _plan_serving(given, candidates)


def _plan_traffic(given: Assumptions) -> Iterator[tuple[str, str, str, float]]:
    pages = count_pages(given)
    yield "traffic", "recommended views a month", "", given.views_per_month * given.recommended_share
    yield "traffic", "pages a month that led to them", "", pages
    yield "traffic", "impressions a month", "", pages * given.page_items
    yield "traffic", "pages a second, on average", "", pages / (DAYS_PER_MONTH * DAY_S)
    yield "traffic", "views a user and month", "", given.views_per_month / given.users


def _plan_storage(given: Assumptions, candidates: float) -> Iterator[tuple[str, str, str, float]]:
    pages, month = count_pages(given), count_lake_bytes(given, candidates)
    stored = count_stored_bytes(given, candidates)
    groups = given.log_share * max(candidates - given.page_items, 0) * given.group_row_bytes
    primer = pages * given.page_items * PRIMER_BYTES
    yield "storage", f"a month at {PRIMER_BYTES} bytes an impression", "PB", primer / 1e15
    yield (
        "storage",
        "shown items and requests a month",
        "TB",
        (pages * given.page_items * given.impression_bytes / 1e12),
    )
    yield "storage", "whole groups a month", "TB", pages * groups / 1e12
    yield "storage", "events a month", "TB", pages * given.events_per_page * given.event_bytes / 1e12
    yield "storage", "the lake, as long as it is kept, all copies", "PB", stored / 1e15
    yield "storage", "files a day", "", ceil(month / DAYS_PER_MONTH / (given.file_mb * 1e6))
    yield "storage", "machines by disk", "nodes", ceil(stored / (given.node_disk_tb * 1e12 * given.disk_fill))
    yield (
        "storage",
        "event store: histories of all users, all copies",
        "TB",
        (given.users * given.history_events * given.store_event_bytes * given.copies / 1e12),
    )


def _plan_learning(
    given: Assumptions, candidates: float, features: int
) -> Iterator[tuple[str, str, str, float]]:
    impressions = count_pages(given) * given.page_items / DAYS_PER_MONTH
    seconds = impressions / 1e6 * given.learning_s
    cores = seconds / (given.learning_hours * 3600 * given.utilisation)
    day = count_lake_bytes(given, candidates) / DAYS_PER_MONTH
    read_gbit = day * 8 / 1e9 / (given.learning_hours * 3600)
    sampled = given.training_rows / (impressions * given.training_days)
    yield "learning", "impressions a day", "", impressions
    yield "learning", "CPU to attribute and build a day", "core hours", seconds / 3600
    yield "learning", "cores, to do it in time", "cores", ceil(cores)
    yield "learning", "machines", "nodes", ceil(cores / given.cores_per_node)
    yield "learning", "network, to read it", "Gbit/s", read_gbit
    yield "learning", "share of the rows that the booster sees", "%", 100 * min(sampled, 1.0)
    yield (
        "learning",
        "memory of its training set",
        "GB",
        (given.training_rows * features * FEATURE_BYTES / 1e9),
    )


def _plan_serving(given: Assumptions, candidates: float) -> Iterator[tuple[str, str, str, float]]:
    rate = given.requests_per_second
    answers = rate * given.response_bytes * 8 / 1e12
    yield "serving", "candidates ranked a second", "", rate * candidates
    yield "serving", "CPU of a page", "ms", given.request_ms + candidates * given.candidate_us / 1e3
    yield "serving", "cores", "cores", ceil(count_serving_cores(given, candidates))
    yield "serving", "machines", "nodes", ceil(count_serving_nodes(given, candidates))
    yield "serving", "answers", "Tbit/s", answers
    yield (
        "serving",
        "to a ranking service of its own",
        "Tbit/s",
        rate * candidates * given.hop_bytes * 8 / 1e12,
    )
