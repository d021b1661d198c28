"""What the steps of the loop do outside of the state machine: the protocol, and what it answers with.

`container_work.py` does it for real; tests make it up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from reelrank.ranking.registry.decisions import Check


@dataclass(frozen=True, slots=True)
class Input:
    """What there is to learn from. hash: differs when anything is new. facts: by name. measurable: differs
    when measuring days and drift would find something else: also once the plays of more hours are known, and
    for another serving release."""

    hash: str
    facts: dict[str, str]
    measurable: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """Logged requests since the last run whose outcome is known. least: answered ones that a run needs.

    until_ms: the newest page of all. has_model: whether a model serves. judged: answered ones that the gate
    would judge on, new or not; least_judged: how many it needs.
    """

    requests: int
    answered: int
    least: int
    until_ms: int
    has_model: bool
    judged: int = 0
    least_judged: int = 0

    @property
    def can_be_judged(self) -> bool:
        """Returns whether the gate has enough requests. A first model needs none, but not a few either."""
        return self.judged >= self.least_judged or not (self.has_model or self.judged)


@dataclass(frozen=True, slots=True)
class Built:
    """A release that was trained and stored, and does not serve."""

    release: str
    inputs: dict[str, str]
    figures: dict[str, float]
    learned_from: str


class Trend(StrEnum):
    """What a step that watches traffic says so far."""

    WAIT = "wait"
    GOOD = "good"
    BAD = "bad"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Observation:
    """What traffic says about a release. STOPPED: another user or process promoted meanwhile."""

    trend: Trend
    sentence: str
    checks: Sequence[Check] = ()
    figures: dict[str, float] = field(default_factory=dict)


class LoopWork(Protocol):
    """The work of each step. All of it may be repeated: the second time changes nothing more."""

    def now(self) -> datetime: ...

    def read_serving(self) -> str:
        """Returns the id of the serving release; empty before the first one."""
        ...

    def export(self) -> Input:
        """Copies new events into the lake."""
        ...

    def measure_days(self) -> None:
        """Measures the exported pages of the last days, and drift, for people and for the next step."""
        ...

    def label(self, since_ms: int) -> Labelled:
        """Counts the logged requests after a time, and those of them that led to a play."""
        ...

    def build(self, run: str) -> Built:
        """Trains, builds an index version and stores both as a release that does not serve."""
        ...

    def judge(self, release: str) -> Sequence[Check]:
        """Returns the checks of the gate."""
        ...

    def discard(self, release: str) -> None:
        """Ends shadow and canary of a release and drops its index version. It may be gone already."""
        ...

    def has_traffic(self) -> bool:
        """Returns whether the service answers enough requests to try a release on them."""
        ...

    def observe_shadow(self, release: str, since: datetime | None) -> Observation:
        """Ranks requests by the release, too, off the request path. since: None: it begins now."""
        ...

    def observe_canary(self, release: str, since: datetime | None) -> Observation:
        """Serves a share of viewers by the release. since: None: it begins now."""
        ...

    def promote(self, release: str) -> None:
        """Makes the release serve."""
        ...

    def observe_promoted(self, release: str, baseline: str, since: datetime) -> Observation:
        """Compares the pages since the promotion with those before."""
        ...

    def roll_back(self, release: str, baseline: str) -> None:
        """Makes the baseline serve again if the release still serves."""
        ...
