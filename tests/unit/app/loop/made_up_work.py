"""A made-up trainer and service for the loop, kept in files: a killed process leaves what it did."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reelrank.app.loop.machine import Loop, StepListener, ignore_step
from reelrank.app.loop.work import Built, Input, Labelled, Observation, Trend
from reelrank.ranking.registry.decisions import Check, FileHistory

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRST = "release-first"


@dataclass
class MadeUpWork:
    """Does each step at once. world: what stands on the disk, as of the last write."""

    directory: Path
    answered: int = 500
    check: Check = field(default_factory=lambda: Check(name="order", passed=True, sentence="as good"))
    traffic: bool = True
    shadow: Trend = Trend.GOOD
    canary: Trend = Trend.GOOD
    watched: Trend = Trend.GOOD
    calls: list[str] = field(default_factory=list)
    measured: int = 0
    judged: int = 100

    @property
    def world(self) -> dict[str, Any]:
        path = self.directory / "world.json"
        if not path.exists():
            return {"serving": FIRST, "releases": [FIRST], "events": 1}
        world: dict[str, Any] = json.loads(path.read_text())
        return world

    def change(self, **values: object) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "world.json").write_text(json.dumps(self.world | values))

    def now(self) -> datetime:
        return NOW

    def read_serving(self) -> str:
        return str(self.world["serving"])

    def export(self) -> Input:
        self.calls.append("export")
        events = str(self.world["events"])
        return Input(events, {"events": events}, events)

    def measure_days(self) -> None:
        self.measured += 1

    def label(self, since_ms: int) -> Labelled:
        return Labelled(
            2 * self.answered, self.answered, 100, 1000 + since_ms, True, self.judged, least_judged=100
        )

    def build(self, run: str) -> Built:
        self.calls.append("build")
        name = f"release-{run}"
        if name not in self.world["releases"]:
            self.change(releases=[*self.world["releases"], name])
        return Built(name, {"model": "a"}, {"requests": 500.0}, "500 requests")

    def judge(self, release: str) -> Sequence[Check]:
        return [self.check]

    def discard(self, release: str) -> None:
        self.change(releases=[name for name in self.world["releases"] if name != release])

    def has_traffic(self) -> bool:
        return self.traffic

    def observe_shadow(self, release: str, since: datetime | None) -> Observation:
        return Observation(self.shadow, "shadow")

    def observe_canary(self, release: str, since: datetime | None) -> Observation:
        return Observation(self.canary, "canary")

    def promote(self, release: str) -> None:
        self.change(serving=release)

    def observe_promoted(self, release: str, baseline: str, since: datetime) -> Observation:
        return Observation(self.watched, "watched")

    def roll_back(self, release: str, baseline: str) -> None:
        if self.read_serving() == release:
            self.change(serving=baseline)


def make_loop(work: MadeUpWork, on_step: StepListener = ignore_step) -> Loop:
    """A loop in the directory of the made-up work."""
    return Loop(work, work.directory, FileHistory(work.directory), on_step)
