"""Viewers of the soak: they ask for pages at simulated times, and send what they did until it is taken."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from reelrank.app.http_client import HttpClient, HttpRequest, HttpResponse, ResponseTooLarge
from reelrank.app.web.simulated_time import NOW_HEADER
from reelrank.index_mappings.event import HOUR_MS, MINUTE_MS

VIEWERS, SHOWN_PER_PAGE = 40, 10
LATE_SHARE, LATE_HOURS = 0.15, 6
"""Of the pages, those whose events come so many hours later: phones without a network."""
MAX_BYTES, TIMEOUT_S, REST_S = 4_000_000, 15.0, 60.0
Record = dict[str, Any]


@dataclass(slots=True)
class SoakViewers:
    """What viewers were answered and have sent. waiting: (due_ms, event), not acknowledged yet.

    answers: status codes of pages. pairs: (index version, model) of the pages, with their number. bare: pages
    with nothing on them that name nothing missing. sent_late: acknowledged after their hour.
    """

    url: str
    seed: int
    answers: Counter[int] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    bare: int = 0
    degraded: int = 0
    waiting: list[tuple[int, Record]] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    refused: int = 0
    sent_late: int = 0

    def visit(self, at_ms: int, number: int) -> None:
        """Asks for a home page and decides what the viewer does with it, some of it much later."""
        user = f"viewer-{number % VIEWERS}"
        path = f"/v1/recommendations?user={user}&limit={SHOWN_PER_PAGE}"
        answer = self._send(HttpRequest("GET", path, None, {NOW_HEADER: str(at_ms)}))
        self.answers[answer.status] += 1
        if answer.status != 200:
            return
        page = orjson.loads(answer.body)
        self.pairs[page["index_version"], page["model"]] += 1
        self.degraded += bool(page["degraded"])
        self.bare += not page["hits"] and not page["degraded"]
        rng = random.Random(f"{self.seed}-{number}")
        due_ms = at_ms + (LATE_HOURS * HOUR_MS if rng.random() < LATE_SHARE else MINUTE_MS)
        self.waiting += [(due_ms, event) for event in _act(page, user, at_ms, rng)]

    def send_due(self, now_ms: int) -> None:
        """Sends what is due. A batch that is not acknowledged stays, under the same ids."""
        due = [event for due_ms, event in self.waiting if due_ms <= now_ms]
        if not due:
            return
        headers = {"Content-Type": "application/json", NOW_HEADER: str(now_ms)}
        answer = self._send(HttpRequest("POST", "/v1/events", orjson.dumps(due), headers))
        if answer.status != 200:
            self.refused += 1
            return
        self.acknowledged.update(event["id"] for event in due)
        self.sent_late += sum(now_ms - event["at_ms"] > HOUR_MS for event in due)
        self.waiting = [one for one in self.waiting if one[0] > now_ms]

    def send_rest(self, now_ms: int) -> None:
        """Sends everything that waits, again until it is taken: all phones have a network."""
        until = time.monotonic() + REST_S
        while self.waiting and time.monotonic() < until:
            self.send_due(now_ms)
            time.sleep(0.1)

    def _send(self, request: HttpRequest) -> HttpResponse:
        client = HttpClient(self.url, MAX_BYTES)
        try:
            return client.send(request, TIMEOUT_S)
        except (TimeoutError, ConnectionError, ResponseTooLarge):
            return HttpResponse(0, b"")  # the connection ended: a worker was killed


def _act(page: Record, user: str, at_ms: int, rng: random.Random) -> list[Record]:
    """Returns what a viewer does: looks at all hits, and watches one of them in every second page."""
    shared = {"user": user, "request_id": page["request_id"], "surface": "home", "simulated": True}
    events = [
        {**shared, "kind": "viewed", "id": f"viewed-{page['request_id']}-{n}", "item": hit["id"],
         "position": n, "at_ms": at_ms + 1000 * (n + 1)}
        for n, hit in enumerate(page["hits"])
    ]  # fmt: skip
    if page["hits"] and rng.random() < 0.5:
        position = rng.randrange(len(page["hits"]))
        watch = {
            "kind": "watch", "id": f"watch-{page['request_id']}", "item": page["hits"][position]["id"],
            "position": position, "at_ms": at_ms + 5 * MINUTE_MS, "watched_ms": 200_000,
            "duration_ms": 240_000, "started_ms": at_ms + 30_000,
        }  # fmt: skip
        events.append({**shared, **watch})
    return events
