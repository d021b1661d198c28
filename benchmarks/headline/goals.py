"""The headline table: what was measured beside the goal of each row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.markdown import format_ms, format_table
from benchmarks.request.load import RateResult, find_sustained_rate

REST = "the rest: HTTP, threads, recording, counting what was recorded"
HEAD = ("what", "measured", "goal")
RATE_GOAL, P99_GOAL_MS = 100, 100.0
COST_GOALS_MS = {
    "home page": 10.0, "search": 7.0, "rank 100 ids": 3.0, "one event": 1.0, "1,000 events at once": 50.0,
}  # fmt: skip
START_GOAL_S, START_GOAL_CPU_S, VERSION_GOAL_S, MEMORY_GOAL_MIB, TRAINING_GOAL_CPU_S = 4.0, 5.0, 0.3, 400, 60
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table. is_met: None where there is no goal."""

    what: str
    measured: str
    goal: str
    is_met: bool | None = None

    def to_cells(self) -> tuple[str, ...]:
        return self.what, self.measured, self.goal if self.is_met is not False else f"{self.goal}, missed"


def format_headline(figures: Figures) -> str:
    return format_table(HEAD, [row.to_cells() for row in list_rows(figures)])


def format_stages(figures: Figures) -> str:
    """Returns where the time of a page goes: its stages by the clock, and the rest of its processor time."""
    pages = [cost for cost in figures["costs"] if cost["stages"]]
    names = list(dict.fromkeys(name for cost in pages for name in cost["stages"]))
    rows = [[name, *(format_ms(cost["stages"].get(name, 0.0)) for cost in pages)] for name in names]
    rests = [cost["cpu_ms"] - sum(cost["stages"].values()) for cost in pages]
    rows.append([REST, *map(format_ms, rests)])
    rows.append(["**processor time of all processes**", *(format_ms(cost["cpu_ms"]) for cost in pages)])
    return format_table(["stage, ms", *(cost["kind"] for cost in pages)], rows)


def list_missed(figures: Figures) -> list[str]:
    """Returns the rows whose goal was missed, as sentences."""
    return [
        f"goal missed: {r.what}: {r.measured}, wanted {r.goal}"
        for r in list_rows(figures)
        if r.is_met is False
    ]


def list_rows(figures: Figures) -> list[Row]:
    return [*_list_rates(figures["rates"]), *_list_costs(figures["costs"]), *_list_process(figures)]


def _list_rates(rates: Mapping[str, Sequence[Figures]]) -> Iterator[Row]:
    for name, curve in rates.items():
        best = find_sustained(curve)
        measured = (
            f"{best['rate']:g} a second, p99 {format_ms(best['p99'])} ms" if best else "less than the lowest"
        )
        is_met = None if "1 worker" in name else bool(best) and best["rate"] >= RATE_GOAL
        goal = "" if is_met is None else f"{RATE_GOAL} a second"
        what = f"highest rate with p99 under {P99_GOAL_MS:g} ms and nothing degraded, {name}"
        yield Row(what, measured, goal, is_met)


def find_sustained(curve: Sequence[Figures]) -> Figures:
    """Returns the highest rate up to which p99 stays under the limit and no page fails or degrades, or {}."""
    rate = find_sustained_rate([RateResult(**point) for point in curve], P99_GOAL_MS)
    return next((point for point in curve if point["rate"] == rate), {})


def _list_costs(costs: Sequence[Figures]) -> Iterator[Row]:
    for cost in costs:
        goal = COST_GOALS_MS.get(cost["kind"])
        measured = f"{format_ms(cost['cpu_ms'])} ms, answered in {format_ms(cost['p50_ms'])} ms"
        if cost["failed"]:
            measured += f", {cost['failed']} of {cost['sent']} failed"
        is_met = None if goal is None else cost["cpu_ms"] <= goal and not cost["failed"]
        yield Row(f"processor time of one: {cost['kind']}", measured, f"{goal:g} ms" if goal else "", is_met)


def _list_process(figures: Figures) -> Iterator[Row]:
    start, memory = figures["start"], figures["memory_mib"]
    yield Row(
        "start to the first answer, one worker; processor time",
        f"{start['seconds']:.1f} s; {start['cpu_s']:.1f} s",
        f"{START_GOAL_S:g} s; {START_GOAL_CPU_S:g} s",
        start["seconds"] <= START_GOAL_S and start["cpu_s"] <= START_GOAL_CPU_S,
    )
    version = figures["version_s"]
    yield Row("`reelrank --version`", f"{version:.2f} s", f"{VERSION_GOAL_S:g} s", version <= VERSION_GOAL_S)
    yield Row(
        "memory of two workers, what is shared counted once",
        f"{memory:.0f} MiB", f"{MEMORY_GOAL_MIB} MiB", memory <= MEMORY_GOAL_MIB,
    )  # fmt: skip
    if spent := figures.get("training_cpu_s"):
        is_met = spent <= TRAINING_GOAL_CPU_S
        yield Row("`reelrank train`, processor time", f"{spent:.0f} s", f"{TRAINING_GOAL_CPU_S} s", is_met)
