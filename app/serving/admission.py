"""Which request is served next, and which is refused at once because it cannot be answered in time.

A queue by priority before the threads of a worker. Its limit of requests at a time follows the measured
service time (a gradient limit, as in Netflix's concurrency-limits): threads share one core, so more at a time
than the core can serve makes each slower and none sooner.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

Kind = Literal["health", "events", "admin", "search", "home", "similar", "explain", "other"]
PRIORITY: dict[Kind, int] = {
    "health": 0, "events": 1, "admin": 2, "search": 3, "home": 4, "similar": 5, "other": 6, "explain": 7,
}  # fmt: skip
NEVER_REFUSED = frozenset({"health", "events", "admin"})
"""An operator must be able to roll back a release while viewers are refused."""
KINDS: tuple[tuple[Kind, "re.Pattern[bytes]"], ...] = (
    ("health", re.compile(rb"[A-Z]+ /(livez|readyz|metrics)[ ?]")),
    ("events", re.compile(rb"POST /(v1/events|watch|like|dislike|not_interested|undo|viewer)[ ?]")),
    ("admin", re.compile(rb"[A-Z]+ /(ops|v1/models/[^ ?]+:promote|v1/(users|erasures|experiments))[/ ?:]")),
    ("explain", re.compile(rb"[A-Z]+ (/why/|[^ ]*[?&]explain=(1|true|yes|on)\b)", re.IGNORECASE)),
    ("similar", re.compile(rb"GET (/v1/items/[^ ?]+/similar|/film/)")),
    ("search", re.compile(rb"(GET|POST) /(v1/search|search|v1/suggest|v1/score/|v1/rank/)")),
    ("home", re.compile(rb"GET /(v1/(recommendations|popular|new))?[ ?]")),
)
Entry = TypeVar("Entry")

SMOOTHING = 0.1
"""Weight of the newest service time in its mean."""
TOLERANCE = 2.0
"""How much slower than unhindered a request may be before the limit falls."""
BASELINE_DRIFT = 1.02
"""The unhindered service time grows by this with each request, so that it follows a slower model."""
LEAST_LIMIT_SHARE = 0.5
"""Of the threads may always work: a limit of 1 served a third as much on a machine shared with other work."""
FIRST_SERVICE_S = 0.02
MAX_ADMIN_AT_A_TIME = 1
"""Promotions and erasures take seconds, and leave the other threads to viewers."""
RELAXATION = 0.9
"""A kind that is refused although nobody waits is estimated this much faster: only a trial can tell."""
MAX_WAITING = 512


def classify(request_line: bytes) -> Kind:
    """Returns the kind of a request, for its priority."""
    return next((kind for kind, pattern in KINDS if pattern.match(request_line)), "other")


@dataclass(slots=True)
class ServiceTime:
    """Seconds that requests of one kind take in a thread: a moving mean, and unhindered."""

    mean_s: float = FIRST_SERVICE_S
    baseline_s: float = 0.0

    def observe(self, seconds: float) -> None:
        self.mean_s += SMOOTHING * (seconds - self.mean_s)
        drifted = self.baseline_s * BASELINE_DRIFT
        self.baseline_s = min(seconds, drifted) if self.baseline_s else seconds


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Entry]):
    """A request that waits. arrived: seconds of the monotonic clock."""

    entry: Entry
    kind: Kind
    arrived: float


@dataclass(slots=True)
class Admission(Generic[Entry]):
    """The queue of one worker. budget_s: from the arrival of a request to its answer."""

    budget_s: float
    max_limit: int
    limit: float = 1.0
    in_progress: int = 0
    _admin_in_progress: int = 0
    _times: dict[Kind, ServiceTime] = field(default_factory=dict)
    _queues: dict[Kind, deque[Waiting[Entry]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limit = float(self.max_limit)
        self._times = {kind: ServiceTime() for kind in PRIORITY}
        self._queues = {kind: deque() for kind in sorted(PRIORITY, key=PRIORITY.__getitem__)}

    def offer(self, entry: Entry, kind: Kind, now: float) -> bool:
        """Queues a request. Returns False for one that cannot be answered in time."""
        if kind not in NEVER_REFUSED and not self._fits(kind):
            if not self._is_anyone_waiting:
                self._times[kind].mean_s *= RELAXATION
            return False
        self._queues[kind].append(Waiting(entry, kind, now))
        return True

    def take(self, now: float) -> tuple[Waiting[Entry] | None, list[Waiting[Entry]]]:
        """Returns the next request to serve, None when there is none; and those whose time has passed."""
        expired = list[Waiting[Entry]]()
        for kind, queue in self._queues.items():
            while queue and self._has_room(kind):
                waiting = queue.popleft()
                service_s = min(self._times[kind].mean_s, self.budget_s / 2)  # a slow kind is served, too
                late_s = now - waiting.arrived + service_s - self.budget_s
                if late_s > 0 and now > waiting.arrived and kind not in NEVER_REFUSED and self.in_progress:
                    expired.append(waiting)
                    continue
                self.in_progress += 1
                self._admin_in_progress += kind == "admin"
                return waiting, expired
        return None, expired

    def finish(self, kind: Kind, seconds: float) -> None:
        """Takes note of a served request, and moves the limit by how much slower it was than unhindered."""
        self.in_progress -= 1
        self._admin_in_progress -= kind == "admin"
        time = self._times[kind]
        time.observe(min(seconds, self.budget_s))
        gradient = max(0.5, min(1.0, TOLERANCE * time.baseline_s / max(time.mean_s, 1e-9)))
        self.limit += SMOOTHING * (self.limit * (gradient - 1) + (1.0 if self._is_anyone_waiting else 0.0))
        self.limit = max(1.0, LEAST_LIMIT_SHARE * self.max_limit, min(float(self.max_limit), self.limit))

    @property
    def retry_after_s(self) -> int:
        """Returns the seconds after which the requests that wait now are done; at least 1."""
        return max(1, round(sum(len(q) * self._times[kind].mean_s for kind, q in self._queues.items())))

    @property
    def _is_anyone_waiting(self) -> bool:
        return any(self._queues.values())

    def _has_room(self, kind: Kind) -> bool:
        if kind == "admin" and self._admin_in_progress >= MAX_ADMIN_AT_A_TIME:
            return False
        return kind == "health" or self.in_progress < int(self.limit)

    def _fits(self, kind: Kind) -> bool:
        """Estimates the wait behind what goes first. A worker with nothing to do takes everything.

        Administration that waits delays nobody, because it has one thread.
        """
        first = [k for k in self._queues if PRIORITY[k] <= PRIORITY[kind] and k != "admin"]
        waiting = sum(len(self._queues[k]) for k in first)
        if not waiting and self.in_progress < int(self.limit):
            return True
        if waiting >= MAX_WAITING:
            return False
        ahead_s = sum(len(self._queues[k]) * self._times[k].mean_s for k in first)
        wait_s = (ahead_s + self.in_progress * self._times[kind].mean_s / 2) / int(self.limit)
        return wait_s + self._times[kind].mean_s <= self.budget_s
