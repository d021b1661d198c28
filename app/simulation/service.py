"""The real service as a recommender: each visit is one HTTP request at its simulated time."""

import heapq
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import orjson

from reelrank.app.http_client import HttpClient, HttpRequest, HttpResponse, ResponseTooLarge
from reelrank.app.simulation.behaviour import READING_MS
from reelrank.app.simulation.films import Film, Films, create_generator
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
SEARCH_SHARE, SIMILAR_SHARE = 0.15, 0.1
"""Of visits, those that search and those that ask for similar films; others load the home page. A choice."""
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AskedPage:
    """What a viewer asks for. path: of the API."""

    surface: str
    path: str
    parameters: Record


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
        self._last_clicked: dict[int, int] = {}
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
        asked = [self._choose_page(*visit) for visit in zip(visits.rows.tolist(), at_ms, strict=True)]
        paths = [
            f"{page.path}?{urlencode({**page.parameters, 'limit': size, 'fields': FIELDS})}" for page in asked
        ]
        answers = list(self._pool.map(self._load_page, paths, at_ms))
        rows = np.full((len(visits), size), -1, np.intp)
        for row, (_, films) in zip(rows, answers, strict=True):
            row[: len(films)] = self._films.add(films)
        request_ids = [request_id for request_id, _ in answers]
        return Pages(rows, request_ids, [page.surface for page in asked])

    def observe(self, feedback: Feedback) -> None:
        for page, position in np.argwhere(feedback.reactions.is_clicked).tolist():
            self._last_clicked[int(feedback.visits.rows[page])] = int(feedback.pages.rows[page, position])
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

    def _choose_page(self, viewer: int, at_ms: int) -> "AskedPage":
        """Chooses what a viewer asks for: mostly the home page, else a search or what is like a film.

        The search is for a genre of the film that was clicked last, else of any film that was seen.
        """
        user = self._viewers.ids[viewer]
        rng = create_generator(0, "surface", user, at_ms)
        drawn, clicked = rng.random(), self._last_clicked.get(viewer)
        parameters = {"user": user}
        if drawn < SIMILAR_SHARE and clicked is not None:
            path = f"/v1/items/{quote(self._films.films[clicked].id, safe='')}/similar"
            return AskedPage("similar", path, parameters)
        if SIMILAR_SHARE <= drawn < SIMILAR_SHARE + SEARCH_SHARE and len(self._films):
            film = self._films.films[rng.integers(len(self._films)) if clicked is None else clicked]
            if film.genres:
                genre = str(rng.choice(film.genres))
                return AskedPage("search", "/v1/search", {**parameters, "q": genre})
        return AskedPage("home", "/v1/recommendations", parameters)

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
