"""The pages a person looks at: home, search, a film, why it is there, quality, about."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, make_response, render_template, request, send_from_directory

from app.search.page import Page
from app.search.showing import FETCH_S
from app.search.stories import Ask, Service
from app.web.pages import filters, reports
from app.web.pages.guard import protect
from app.web.pages.person import Person, person_of, picked_name
from app.web.pages.posters import poster_of
from app.web.pages.said import said
from app.web.pages.why import why_of
from app.web.parameters import HomeParameters, ItemPath, SearchParameters
from app.web.telemetry import count_page, server_timing
from index_mappings.errors import NotFound
from index_mappings.item import Item
from index_mappings.query import Context, Query
from loaders.demo import SOURCES

SHOWN, SIMILAR, STRIP = 24, 12, 8
BUSIEST = 12
STATIC = Path(__file__).parents[1] / "static"


def pages(service: Service, reports_dir: Path) -> Blueprint:
    site = Site(service, reports_dir)
    blueprint = Blueprint("pages", __name__, template_folder="../templates")
    blueprint.add_url_rule("/", "home", site.home)
    blueprint.add_url_rule("/search", "search", site.search)
    blueprint.add_url_rule("/film/<path:item_id>", "film", site.film)
    blueprint.add_url_rule("/why/<request_id>/<int:place>", "why", site.why)
    blueprint.add_url_rule("/quality", "quality", site.quality)
    blueprint.add_url_rule("/about", "about", site.about)
    blueprint.add_url_rule("/report/<name>", "report", site.report)
    blueprint.add_url_rule("/static/<digest>/<name>", "static_file", _static_file)
    blueprint.after_request(protect)
    in_templates = {"poster_of": poster_of, "asset": asset, "event_id": _event_id}
    blueprint.record(lambda setup: setup.app.jinja_env.globals.update(in_templates))
    return blueprint


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A method a page. reports_dir: where the last training run left its report."""

    service: Service
    reports_dir: Path

    def home(self) -> Response:
        asked = HomeParameters.model_validate(filters.parameters(("cursor",)))
        who = self._who()
        page = self._list(Query(user=who.name or None, limit=SHOWN, context=_now()), asked.cursor)
        nearest = None if asked.cursor or not who.watched else self._like_the_last(who)
        return self._html("home.html", page, who=who, nearest=nearest, said=said(page, self.service))

    def search(self) -> Response:
        asked = SearchParameters.model_validate(filters.parameters(("q", "cursor", *filters.NARROWING)))
        who = self._who()
        query = Query(
            text=asked.q.strip(), user=who.name or None, filters=asked.filters(), limit=SHOWN, context=_now()
        )
        page = self._list(query, asked.cursor, facets=True)
        narrowing = {"chips": filters.chips_of(asked), "choices": filters.choices_of(asked, page.facets)}
        return self._html("search.html", page, who=who, asked=asked, **narrowing)

    def film(self, item_id: str) -> Response:
        path = ItemPath.model_validate({"item_id": item_id})
        (item,) = self.service.engine.fetch([path.item_id], FETCH_S)
        if item is None:
            raise NotFound(f"there is no film {item_id!r} here; it may have been deleted")
        who = self._who()
        query = Query(user=who.name or None, similar_to=item.id, limit=SIMILAR, context=_now())
        shown = {"request_id": request.args.get("from", ""), "position": request.args.get("at", "")}
        page = self._list(query, None)
        facts = {"item": item, "said": said(page, self.service), "shown": shown}
        return self._html("film.html", page, who=who, **facts)

    def why(self, request_id: str, place: int) -> Response:
        page = self.service.why(f"{request_id}.{place}")
        hit = page.hits[0] if page.hits else None
        if hit is None or hit.explanation is None:
            raise NotFound("this film has been deleted since the list was made")
        return self._html("why.html", page, who=self._who(), hit=hit, why=why_of(hit.explanation))

    def quality(self) -> Response:
        report = reports.last_report(self.reports_dir)
        return self._html("quality.html", None, who=self._who(), report=report)

    def about(self) -> Response:
        return self._html("about.html", None, who=self._who(), sources=SOURCES)

    def report(self, name: str) -> Response:
        return reports.picture(self.reports_dir, name)

    def _who(self) -> Person:
        return person_of(picked_name(), self.service)

    def _list(self, query: Query, cursor: str | None, facets: bool = False) -> Page:
        if cursor:
            page = self.service.next_page(cursor, SHOWN)
        else:
            page = self.service.page(Ask(query, facets=facets, keep=True))
        count_page(page)
        return page

    def _like_the_last(self, who: Person) -> tuple[Item, Page]:
        last = who.watched[0].item
        query = Query(user=who.name, similar_to=last.id, limit=STRIP, context=_now())
        return last, self.service.page(Ask(query, keep=True))

    def _html(self, template: str, page: Page | None, **facts: Any) -> Response:
        live = self.service.live
        busiest = live.state.crowd.busiest(BUSIEST) if live.is_ready else []
        body = render_template(template, page=page, busiest=busiest, back=quote(request.path), **facts)
        response = make_response(body)
        response.headers["Cache-Control"] = "no-store"
        if page is not None and page.stages:
            response.headers["Server-Timing"] = server_timing(page)
        return response


@cache
def asset(name: str) -> str:
    """The address of a static file: it may be kept for ever, for it changes when any of them changes.

    One digest for all, so that the style sheet names its fonts by addresses of its own folder.
    """
    return f"/static/{_digest()}/{name}"


@cache
def _digest() -> str:
    return sha256(b"".join(file.read_bytes() for file in sorted(STATIC.iterdir()))).hexdigest()[:12]


def _static_file(digest: str, name: str) -> Response:
    response = send_from_directory(STATIC, name)
    is_current = digest == _digest()
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_current else "no-cache"
    return response


def _event_id() -> str:
    return uuid.uuid4().hex


def _now() -> Context:
    return Context(datetime.now(UTC))
