"""The real service as a recommender: each visit is one HTTP request at its simulated time."""

import heapq
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import orjson

from reelrank.app.http_client import HttpClient, HttpRequest, HttpResponse, ResponseTooLarge
from reelrank.app.simulation.asked_pages import AskedPage, PageChoices
from reelrank.app.simulation.behaviour import READING_MS
from reelrank.app.simulation.films import Film, Films
from reelrank.app.simulation.recommenders import Feedback, Pages
from reelrank.app.simulation.viewers import Viewers, Visits
from reelrank.app.web.simulated_time import NOW_HEADER
from reelrank.index_mappings.errors import BadRequest, Unavailable

MAX_RESPONSE_BYTES = 16_000_000
TIMEOUT_S = 30.0
EVENTS_PER_REQUEST = 2000
ATTEMPTS, RETRY_S = 10, 1.0
"""How often events are sent that a service cannot take in at the moment, and the pause between."""
FIELDS = "genres,duration_s,published_at"
HOME_PATH = "/v1/recommendations"
Record = dict[str, Any]


class ServiceRecommender:
    """Asks a service for pages, and sends it what viewers did once its time has come.

    Every event has `simulated` true and the prefix of the simulated viewers' ids. connections: how many
    pages are asked for at a time.
    """

    def __init__(self, url: str, films: Films, viewers: Viewers, connections: int = 4) -> None:
        self._client = HttpClient(url, MAX_RESPONSE_BYTES)
        self._films = films
        self._viewers = viewers
        self._pool = ThreadPoolExecutor(connections)
        self._waiting: list[tuple[int, str, Record]] = []
        self._choices = PageChoices(films, viewers)
        self.sent_events = 0

    def check_clock(self) -> None:
        """Raises Unavailable if the service does not answer, BadRequest if its clock is not simulated.

        A service whose clock is simulated refuses a time that cannot be read; others ignore the header.
        """
        answer = self._send(
            HttpRequest("GET", "/v1/recommendations?limit=1", None, {NOW_HEADER: "not a time"})
        )
        if answer.status == 200:
            message = f"{self._client.url} has a real clock; start the service with REELRANK_CLOCK=simulated"
            raise BadRequest(message, code="clock_not_simulated")
        if answer.status != 400:
            raise _describe_failure("the check of the clock", answer)

    def recommend(self, visits: Visits, size: int) -> Pages:
        at_ms = visits.at_ms.tolist()
        asked = [self._choices.choose(*visit) for visit in zip(visits.rows.tolist(), at_ms, strict=True)]
        paths = [build_path(page, size) for page in asked]
        answers = list(self._pool.map(self._load_page, paths, at_ms))
        rows = np.full((len(visits), size), -1, np.intp)
        for row, (_, films) in zip(rows, answers, strict=True):
            row[: len(films)] = self._films.add(films)
        request_ids = [request_id for request_id, _ in answers]
        return Pages(rows, request_ids, [page.surface for page in asked])

    def observe(self, feedback: Feedback) -> None:
        self._choices.remember(feedback)
        for record in build_events(feedback, self._viewers.ids, self._films):
            heapq.heappush(self._waiting, (record["at_ms"], record["id"], record))

    def publish(self, films: Sequence[Film], at_ms: int) -> None:
        body = [_describe_film(film) for film in films]
        self._post("/v1/items:bulk", body, at_ms)

    def advance(self, now_ms: int) -> None:
        due: list[Record] = []
        while self._waiting and self._waiting[0][0] <= now_ms:
            due.append(heapq.heappop(self._waiting)[2])
        for start in range(0, len(due), EVENTS_PER_REQUEST):
            self._post("/v1/events", due[start : start + EVENTS_PER_REQUEST], now_ms)
        self.sent_events += len(due)

    def close(self) -> None:
        self._pool.shutdown()

    def _load_page(self, path: str, at_ms: int) -> tuple[str, list[Film]]:
        """Returns the id of the page and its films; nothing when the service fails."""
        answer = self._send(HttpRequest("GET", path, None, {NOW_HEADER: str(at_ms)}))
        if answer.status != 200:
            return "", []
        page = orjson.loads(answer.body)
        return page["request_id"], [_read_film(hit) for hit in page["hits"]]

    def _post(self, path: str, body: list[Record], at_ms: int) -> None:
        """Sends a body until it is accepted. Raises Unavailable."""
        headers = {"Content-Type": "application/json", NOW_HEADER: str(at_ms)}
        request = HttpRequest("POST", path, orjson.dumps(body), headers)
        for attempt in range(ATTEMPTS):
            answer = self._send(request)
            if answer.status == 200:
                return
            if answer.status < 500 or attempt == ATTEMPTS - 1:
                raise _describe_failure(path, answer)
            time.sleep(RETRY_S)

    def _send(self, request: HttpRequest) -> HttpResponse:
        try:
            return self._client.send(request, TIMEOUT_S)
        except (TimeoutError, ConnectionError, ResponseTooLarge) as error:
            return HttpResponse(503, str(error).encode())


def build_path(asked: AskedPage, size: int) -> str:
    """Returns the path of the API, with its parameters."""
    parameters = {"user": asked.user, "limit": size, "fields": FIELDS}
    if asked.text:
        return f"/v1/search?{urlencode({**parameters, 'q': asked.text})}"
    path = f"/v1/items/{quote(asked.similar_to, safe='')}/similar" if asked.similar_to else HOME_PATH
    return f"{path}?{urlencode(parameters)}"


def build_events(feedback: Feedback, user_ids: Sequence[str], films: Films) -> Iterator[Record]:
    """Builds the events of pages: an examined film was viewed, a clicked one is watched, too."""
    pages, reactions = feedback.pages, feedback.reactions
    for page, position in np.argwhere(reactions.is_viewed & (pages.rows >= 0)).tolist():
        shared = {
            "user": user_ids[feedback.visits.rows[page]],
            "item": films.films[pages.rows[page, position]].id,
            "request_id": pages.request_ids[page],
            "position": position,
            "surface": pages.surfaces[page] if pages.surfaces else "home",
            "simulated": True,
        }
        key = f"{pages.request_ids[page]}-{position}"
        seen_ms = int(feedback.visits.at_ms[page]) + READING_MS * (position + 1)
        yield {**shared, "kind": "viewed", "id": f"viewed-{key}", "at_ms": seen_ms}
        if not reactions.is_clicked[page, position]:
            continue
        started_ms = int(feedback.started_ms[page, position])
        duration_ms = round(float(feedback.duration_ms[page, position]))
        watched_ms = round(float(reactions.shares[page, position]) * duration_ms)
        yield {**shared, "kind": "click", "id": f"click-{key}", "at_ms": started_ms}
        yield {
            **shared,
            "kind": "watch",
            "id": f"watch-{key}",
            "at_ms": started_ms + watched_ms,
            "watched_ms": watched_ms,
            "duration_ms": duration_ms,
            "play_id": f"play-{key}",
            "started_ms": started_ms,
        }


def _describe_film(film: Film) -> Record:
    published_at = datetime.fromtimestamp((film.published_ms or 0) / 1000, UTC).isoformat()
    return {
        "id": film.id,
        "title": f"Simulated film {film.id.removeprefix('simulated-')}",
        "genres": film.genres,
        "duration_s": (film.duration_ms or 0) // 1000,
        "published_at": published_at,
    }


def _read_film(hit: Record) -> Film:
    published_at = hit.get("published_at")
    published_ms = round(datetime.fromisoformat(published_at).timestamp() * 1000) if published_at else None
    duration_ms = 1000 * hit["duration_s"] if hit.get("duration_s") else None
    return Film(hit["id"], tuple(hit.get("genres", ())), duration_ms, published_ms)


def _describe_failure(what: str, answer: HttpResponse) -> Unavailable:
    detail = answer.body[:300].decode(errors="replace")
    return Unavailable(f"{what} failed with status {answer.status}: {detail}", code="service_failed")
