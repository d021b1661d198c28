"""The pages for people: home, search, one film, its explanation, quality, about."""

import uuid
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, make_response, redirect, render_template, request

from reelrank.app.search.hydration import FETCH_TIMEOUT_S, fetch_items
from reelrank.app.search.lexical.highlighting import highlight_page
from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.web.api.lists import adapt_service
from reelrank.app.web.api.parameters import HomeParameters, ItemPath, SearchParameters
from reelrank.app.web.pages import filters, reports
from reelrank.app.web.pages.notices import build_notice
from reelrank.app.web.pages.person import ViewerProfile, describe_opinion, load_viewer_profile, read_user_id
from reelrank.app.web.pages.posters import build_poster
from reelrank.app.web.pages.reasons import HitContext
from reelrank.app.web.pages.why import build_explanation_view
from reelrank.app.web.telemetry import count_page, format_server_timing
from reelrank.index_mappings.errors import ItemNotFound
from reelrank.index_mappings.query import Context, Query
from reelrank.loaders.demo import SOURCES

PAGE_ITEMS, SIMILAR_ITEMS, ROW_ITEMS = 24, 12, 8
BUSIEST_VIEWERS = 12
SHOWN_PARAMETERS = {"request_id": "from", "position": "at", "row": "row"}
"""Where a film was shown that is opened, and the parameters of its address that say so."""


def create_pages_blueprint(service: SearchService, reports_dir: Path) -> Blueprint:
    site = Site(service, reports_dir)
    blueprint = Blueprint("pages", __name__, template_folder="../templates")
    blueprint.add_url_rule("/", "home", site.render_home)
    blueprint.add_url_rule("/search", "search", site.render_search)
    blueprint.add_url_rule("/film/<path:item_id>", "film", site.render_film)
    blueprint.add_url_rule("/why/<request_id>/<int:position>", "why", site.render_why)
    blueprint.add_url_rule("/quality", "quality", site.render_quality)
    blueprint.add_url_rule("/about", "about", site.render_about)
    blueprint.add_url_rule("/report/<name>", "report", site.send_report_picture)
    template_globals = {"poster_of": build_poster, "event_id": _create_event_id}
    blueprint.record(lambda setup: setup.app.jinja_env.globals.update(template_globals))
    return blueprint


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One method per page. reports_dir: where the last training run wrote its report."""

    service: SearchService
    reports_dir: Path

    def render_home(self) -> Response:
        parameters = HomeParameters.model_validate(filters.read_parameters(("cursor",)))
        viewer = self._load_viewer()
        page = self._load_page(
            Query(user=viewer.user_id or None, limit=PAGE_ITEMS, context=self._build_context()),
            parameters.cursor,
        )
        return self._render("home.html", page, viewer=viewer, notice=build_notice(page, self.service))

    def render_search(self) -> Response:
        given = filters.read_parameters(("q", "cursor", "sort", *filters.FILTER_FIELDS))
        if filters.is_empty_search(given):
            return make_response(redirect("/", HTTPStatus.SEE_OTHER))
        parameters = SearchParameters.model_validate(given)
        viewer = self._load_viewer()
        query = Query(
            text=parameters.q.strip(),
            user=viewer.user_id or None,
            filters=parameters.build_filters(),
            limit=PAGE_ITEMS,
            context=self._build_context(),
            sort=parameters.sort,
        )
        page = highlight_page(self._load_page(query, parameters.cursor, facets=True))
        narrowing = {
            "chips": filters.build_chips(parameters),
            "shortcuts": filters.build_shortcuts(parameters, self.service.refresher.state.table),
            "sorts": filters.build_sort_choices(parameters),
            "choices": filters.build_choices(parameters, page.facets),
        }
        return self._render("search.html", page, viewer=viewer, parameters=parameters, **narrowing)

    def render_film(self, item_id: str) -> Response:
        path = ItemPath.model_validate({"item_id": item_id})
        (item,) = self.service.engine.fetch([path.item_id], FETCH_TIMEOUT_S)
        if item is None:
            raise ItemNotFound(f"there is no film {item_id!r}; it may have been deleted")
        viewer = self._load_viewer()
        query = Query(
            user=viewer.user_id or None,
            similar_to=item.id,
            limit=SIMILAR_ITEMS,
            context=self._build_context(),
        )
        shown = {name: request.args.get(key, "") for name, key in SHOWN_PARAMETERS.items()}
        page = self._load_page(query, None)
        notice = build_notice(page, self.service)
        opinion = describe_opinion(viewer.user_id, item.id, self.service)
        return self._render(
            "film.html", page, viewer=viewer, item=item, notice=notice, shown=shown, opinion=opinion
        )

    def render_why(self, request_id: str, position: int) -> Response:
        page = self.service.explain_hit(f"{request_id}.{position}", read_user_id())
        hit = page.hits[0] if page.hits else None
        if hit is None or hit.explanation is None:
            raise ItemNotFound("this film was deleted after the list was made")
        context = HitContext(
            page.asked, tuple(hit.sources), self._name_seed(page.similar_to), bool(read_user_id())
        )
        why = build_explanation_view(page, hit.explanation, request.args.get("row", ""), context)
        return self._render("why.html", page, viewer=self._load_viewer(), hit=hit, why=why)

    def _name_seed(self, item_id: str) -> str:
        """Returns how sentences name the film that a list is similar to; empty for other lists."""
        if not item_id:
            return ""
        (seed,), _ = fetch_items(self.service.engine, [item_id], FETCH_TIMEOUT_S)
        return "that film" if seed is None else f"“{seed.title}”"

    def render_quality(self) -> Response:
        report = reports.load_last_report(self.reports_dir)
        return self._render("quality.html", None, viewer=self._load_viewer(), report=report)

    def render_about(self) -> Response:
        return self._render("about.html", None, viewer=self._load_viewer(), sources=SOURCES)

    def send_report_picture(self, name: str) -> Response:
        return reports.send_picture(self.reports_dir, name)

    def _build_context(self) -> Context:
        return Context(self.service.clock.now())

    def _load_viewer(self) -> ViewerProfile:
        return load_viewer_profile(read_user_id(), self.service)

    def _load_page(self, query: Query, cursor: str | None, facets: bool = False) -> Page:
        service = adapt_service(self.service)
        if cursor:
            page = service.serve_next_page(cursor, PAGE_ITEMS, user=query.user or "")
        else:
            row_size = ROW_ITEMS if query.kind == "home" else 0
            options = RankingOptions(query, facets=facets, cache_results=True, row_size=row_size)
            page = service.serve_page(options)
        count_page(page)
        return page

    def _render(self, template: str, page: Page | None, **values: Any) -> Response:
        refresher = self.service.refresher
        activity = refresher.state.activity if refresher.is_ready else None
        busiest = activity.list_busiest_viewers(BUSIEST_VIEWERS) if activity is not None else []
        body = render_template(template, page=page, busiest=busiest, back=quote(request.path), **values)
        response = make_response(body)
        response.headers["Cache-Control"] = "no-store"
        if page is not None and page.timings:
            response.headers["Server-Timing"] = format_server_timing(page)
        return response


def _create_event_id() -> str:
    return uuid.uuid4().hex
