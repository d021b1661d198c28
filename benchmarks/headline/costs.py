"""Processor time of each kind of request: of all processes of the service, over requests sent one by one."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import urllib3

from benchmarks.headline.history import History
from benchmarks.process_tree import ProcessTree

RANKED, BATCH, LARGE_SHARE = 100, 1_000, 0.1
WARM_UP, SETTLE_S = 20, 1.5
"""SETTLE_S: recording goes on behind the answer, and belongs to the requests that were recorded."""
TIMEOUT_S = 30.0
SOURCE = "source_"
Answer = urllib3.BaseHTTPResponse
Send = Callable[[int], Answer]


@dataclass(frozen=True, slots=True)
class RequestCost:
    """cpu_ms: of the whole service, for each request. p50_ms: until the answer. failed: without success.

    stages: mean milliseconds by the clock of each stage that the answers name, without the single sources,
    which run side by side within one.
    """

    kind: str
    sent: int
    failed: int
    cpu_ms: float
    p50_ms: float
    stages: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends requests of each kind to a service, one by one."""

    url: str
    history: History
    pool: urllib3.PoolManager

    def list_kinds(self) -> dict[str, Send]:
        homes, searches = self.history.list_homes(), self.history.list_searches()
        suggestions = self.history.list_suggestions()
        return {
            "home page": lambda n: self._get(homes[n % len(homes)]),
            "search": lambda n: self._get(searches[n % len(searches)]),
            f"rank {RANKED} ids": self._rank,
            "suggestion": lambda n: self._get(suggestions[n % len(suggestions)]),
            "one event": lambda n: self._post("/v1/events", self._build_event(n)),
            f"{BATCH:,} events at once": self._send_batch,
        }

    def _rank(self, number: int) -> Answer:
        user = self.history.viewers[number % len(self.history.viewers)]
        return self._post("/v1/rank/current", {"user": user, "ids": list(self.history.items[:RANKED])})

    def _send_batch(self, number: int) -> Answer:
        events = [self._build_event(number * BATCH + place) for place in range(BATCH)]
        return self._post("/v1/events", events)

    def _build_event(self, number: int) -> dict[str, object]:
        viewer, item = (names[number % len(names)] for names in (self.history.viewers, self.history.items))
        return {"kind": "click", "user": viewer, "item": item}

    def _get(self, path: str) -> Answer:
        return self.pool.request("GET", self.url + path, timeout=TIMEOUT_S)

    def _post(self, path: str, body: object) -> Answer:
        return self.pool.request("POST", self.url + path, json=body, timeout=TIMEOUT_S)


def measure_costs(url: str, history: History, service: ProcessTree, rounds: int) -> list[RequestCost]:
    """Measures every kind with so many requests; batches with a tenth of them."""
    sender = Sender(url, history, urllib3.PoolManager(maxsize=1, retries=False))
    idle = measure_idle(service)
    return [
        _measure_kind(kind, send, service, idle, round(rounds * LARGE_SHARE) if "events" in kind else rounds)
        for kind, send in sender.list_kinds().items()
    ]


def measure_idle(service: ProcessTree) -> float:
    """Returns the processor seconds a second of the service without requests."""
    before = service.read_cpu_s()
    time.sleep(2 * SETTLE_S)
    return (service.read_cpu_s() - before) / (2 * SETTLE_S)


def _measure_kind(kind: str, send: Send, service: ProcessTree, idle: float, count: int) -> RequestCost:
    for number in range(min(WARM_UP, count)):
        send(number)
    time.sleep(SETTLE_S)
    before, began = service.read_cpu_s(), time.perf_counter()
    sent = [_time_request(send, number) for number in range(count)]
    time.sleep(SETTLE_S)
    spent = service.read_cpu_s() - before - idle * (time.perf_counter() - began)
    answers, seconds = zip(*sent, strict=True)
    failed = sum(not 200 <= answer.status < 300 for answer in answers)
    p50_ms = float(np.median(seconds)) * 1000
    return RequestCost(kind, count, failed, 1000 * spent / count, p50_ms, average_stages(answers))


def _time_request(send: Send, number: int) -> tuple[Answer, float]:
    began = time.perf_counter()
    return send(number), time.perf_counter() - began


def average_stages(answers: Sequence[Answer]) -> dict[str, float]:
    """Returns the mean milliseconds of each stage in the Server-Timing headers."""
    totals = defaultdict[str, float](float)
    for answer in answers:
        for entry in filter(None, answer.headers.get("Server-Timing", "").split(", ")):
            name, _, duration = entry.partition(";dur=")
            if not name.startswith(SOURCE):
                totals[name] += float(duration)
    return {name: total / len(answers) for name, total in totals.items()}
