"""Search, recommendations and similar items over HTTP; and the ranking of a caller's own candidates."""

from collections.abc import Callable

import numpy as np
from flask import Response, jsonify, request
from flask_openapi import APIBlueprint, Tag

from app.search.page import Page
from app.search.stories import Ask, Service
from app.web.answers import order_answer, page_answer
from app.web.parameters import (
    HomeParameters,
    ItemPath,
    ModelPath,
    Narrowed,
    RankBody,
    SearchParameters,
    SimilarParameters,
)
from app.web.telemetry import count_page, server_timing
from index_mappings.errors import NotFound
from index_mappings.match import ItemIds, Matches, best_first, item_ids
from index_mappings.query import Query

LISTS = Tag(name="lists", description="Ranked lists of videos.")


def lists_api(service: Service) -> APIBlueprint:
    api = APIBlueprint("lists", __name__, url_prefix="/v1", abp_tags=[LISTS])

    @api.get("/search")
    def search(query: SearchParameters) -> Response:
        """Search the catalogue by words, ranked for a viewer."""
        return answered(query, query.query)

    @api.post("/search")
    def search_by_body(body: SearchParameters) -> Response:
        """The same with the parameters as JSON."""
        return answered(body, body.query)

    @api.get("/recommendations")
    def recommendations(query: HomeParameters) -> Response:
        """A viewer's home page."""
        return answered(query, query.query)

    @api.get("/items/<path:item_id>/similar")
    def similar(path: ItemPath, query: SimilarParameters) -> Response:
        """Items like one item."""
        if not query.cursor and service.engine.fetch([path.item_id], 1.0) == [None]:
            raise NotFound(f"there is no item {path.item_id}")
        return answered(query, lambda: query.query(path.item_id))

    @api.post("/rank/<model>")
    def rank(path: ModelPath, body: RankBody) -> Response:
        """Rank candidates of one's own by a model, or by `current`, the promoted one."""
        model = None if path.model == "current" else path.model
        return jsonify(order_answer(service.rank(body.query(), matches_of(body), model)))

    def answered(asked: Narrowed, query: Callable[[], Query]) -> Response:
        return page_response(page_of(service, asked, query), asked.limit)

    return api


def page_of(service: Service, asked: Narrowed, query: Callable[[], Query]) -> Page:
    """A later part of a list that is named by its cursor, or the first one of a new list."""
    if asked.cursor:
        return service.next_page(asked.cursor, asked.limit, asked.explain)
    return service.page(Ask(query(), asked.model, asked.explain, asked.facets))


def page_response(page: Page, limit: int) -> Response:
    count_page(page)
    response = jsonify(page_answer(page, request.path, limit))
    response.headers["Server-Timing"] = server_timing(page)
    return response


def matches_of(body: RankBody) -> list[Matches]:
    """The caller's order as one more source, and a source for each column of scores."""
    ids = item_ids(body.ids)
    given = Matches("given", ids, -np.arange(len(ids), dtype=np.float32))
    scored = [_scored(source, ids, scores) for source, scores in body.scores.items()]
    return [given, *scored]


def _scored(source: str, ids: ItemIds, scores: list[float | None]) -> Matches:
    column = np.array(scores, np.float32)
    found = np.flatnonzero(~np.isnan(column))
    return best_first(source, ids[found], column[found], len(found))
