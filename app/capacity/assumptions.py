"""What a capacity plan assumes: traffic, rates that were measured, and the machines. Each has a flag."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

MEASURED_RATES = Path(__file__).with_name("measured_rates.toml")
STATED, ASSUMED = "stated", "assumed"


def _assume(value: float, unit: str, meaning: str) -> Any:
    return field(default=value, metadata={"unit": unit, "meaning": meaning})


def _measure(unit: str, meaning: str) -> Any:
    return field(default=0.0, metadata={"unit": unit, "meaning": meaning, "is_measured": True})


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Traffic as the primer of large recommenders states it; rates of MEASURED_RATES; machines that can be
    rented. A month has 30 days."""

    views_per_month: float = _assume(150e9, "views", "Videos watched in a month.")
    recommended_share: float = _assume(0.1, "", "Share of them that came from a recommendation.")
    page_items: float = _assume(100, "items", "Items that a page shows.")
    watched_per_page: float = _assume(2, "items", "Items of a page that are watched.")
    users: float = _assume(1.3e9, "users", "Viewers.")
    requests_per_second: float = _assume(10e6, "requests/s", "Requests at the busiest time.")
    candidates_low: float = _assume(1_000, "items", "Candidates of a request, at least.")
    candidates_high: float = _assume(10_000, "items", "Candidates of a request, at most.")
    events_per_page: float = _assume(34, "events", "Events of a page: seen, clicked, watched.")
    history_events: float = _assume(200, "events", "Events kept for each viewer, to rank with.")
    log_share: float = _assume(0.1, "", "Share of pages whose candidates are all logged.")
    request_ms: float = _measure("ms", "CPU of a page without candidates.")
    candidate_us: float = _measure("us", "CPU of one candidate: found, observed, scored.")
    response_bytes: float = _measure("bytes", "Answer of a page, uncompressed.")
    hop_bytes: float = _measure("bytes", "One candidate, sent to a ranking service.")
    impression_bytes: float = _measure("bytes", "One shown item in the lake, with its request.")
    group_row_bytes: float = _measure("bytes", "One candidate of a whole group in the lake.")
    event_bytes: float = _measure("bytes", "One event in the lake.")
    store_event_bytes: float = _measure("bytes", "One event in the event store.")
    learning_s: float = _measure("s", "CPU to attribute and build a million impressions.")
    kept_days: float = _assume(30, "days", "Days that the lake keeps.")
    copies: float = _assume(3, "copies", "Copies of all data.")
    file_mb: float = _assume(256, "MB", "Largest file of the lake.")
    utilisation: float = _assume(0.5, "", "Share of cores and network that may be busy.")
    cores_per_node: float = _assume(32, "cores", "Cores of a machine.")
    node_disk_tb: float = _assume(8, "TB", "Disk of a machine.")
    disk_fill: float = _assume(0.7, "", "Share of a disk that may be full.")
    node_gbit: float = _assume(25, "Gbit/s", "Network of a machine.")
    learning_hours: float = _assume(4, "hours", "Hours in which a day is attributed and built.")
    training_days: float = _assume(28, "days", "Days that a training run learns from.")
    training_rows: float = _assume(1_000_000, "rows", "Rows that the booster trains on.")

    def __post_init__(self) -> None:
        shares = ("recommended_share", "log_share", "utilisation", "disk_fill")
        for name in self.__slots__:
            value = getattr(self, name)
            if not 0 < value < float("inf") and not (value == 0 and name == "log_share"):
                raise ValueError(f"{name}: {value} is not above 0")
            if name in shares and value > 1:
                raise ValueError(f"{name}: {value} is a share, at most 1")


@dataclass(frozen=True, slots=True)
class Rate:
    """A measured value, and how it was measured: the command and the date, or that it was just now."""

    value: float
    source: str


@cache
def load_committed_rates() -> Mapping[str, Rate]:
    """Returns the rates that were measured with this build and are part of it."""
    table = tomllib.loads(MEASURED_RATES.read_text("utf-8"))
    return {name: Rate(float(entry["value"]), str(entry["source"])) for name, entry in table.items()}


def list_measured() -> list[str]:
    """Returns the names of the assumptions that are measured."""
    return [one.name for one in fields(Assumptions) if one.metadata.get("is_measured")]


def build_assumptions(
    stated: Mapping[str, float], measured: Mapping[str, Rate]
) -> tuple[Assumptions, dict[str, str]]:
    """Returns the assumptions, and where each comes from: stated, measured or assumed.

    Stated values win over measured ones, and those over committed ones. Raises ValueError for a value that
    cannot be, such as a share above 1.
    """
    rates = {**load_committed_rates(), **measured}
    values = {name: rate.value for name, rate in rates.items()} | dict(stated)
    sources = {one.name: ASSUMED for one in fields(Assumptions)}
    sources |= {name: rate.source for name, rate in rates.items()} | dict.fromkeys(stated, STATED)
    return Assumptions(**values), sources
