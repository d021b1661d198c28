"""Search, recommendations and similar items over HTTP; and the ranking of a caller's own candidates.

Parameters and their limits: `parameters.py`. What is left out of a list: `ranking/retrieval/candidates.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

import numpy as np
from flask import Response, jsonify, request
from flask_openapi import APIBlueprint
from flask_openapi.types import ResponseDict

from reelrank.app.clock import shorten_deadline
from reelrank.app.search.lexical.highlighting import highlight_page
from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.ports import NoRecorder
from reelrank.app.search.service import SearchService
from reelrank.app.web.access.request_origin import is_cross_site
from reelrank.app.web.answers import serialize_page, serialize_ranking
from reelrank.app.web.api.answer_models import ListAnswer, RankAnswer
from reelrank.app.web.api.parameters import (
    HomeParameters,
    ItemPath,
    ListParameters,
    ModelPath,
    RankBody,
    SearchParameters,
    SimilarParameters,
)
from reelrank.app.web.openapi import create_api_blueprint
from reelrank.app.web.telemetry import count_page, format_server_timing
from reelrank.index_mappings.errors import ItemNotFound
from reelrank.index_mappings.match import ItemIds, Matches, encode_item_ids, select_best_matches
from reelrank.index_mappings.query import Query

QueryBuilder = Callable[[datetime], Query]
"""Builds the query of a request that is made now."""


def create_lists_api(service: SearchService) -> APIBlueprint:
    api = create_api_blueprint("lists", "Ranked lists of videos.")
    listed: ResponseDict = {200: ListAnswer}

    @api.get("/search", responses=listed)
    def search(query: SearchParameters) -> Response:
        """Search the catalogue and rank the hits for a viewer."""
        return respond(query, query.build_query)

    @api.post("/search", responses=listed)
    def search_by_body(body: SearchParameters) -> Response:
        """Search with the parameters as a JSON body."""
        return respond(body, body.build_query)

    @api.get("/recommendations", responses=listed)
    def recommend(query: HomeParameters) -> Response:
        """Recommend items for a viewer's home page."""
        return respond(query, query.build_query)

    _add_sorted_lists(api, service)

    @api.get("/items/<path:item_id>/similar", responses=listed)
    def list_similar(path: ItemPath, query: SimilarParameters) -> Response:
        """List items similar to one item."""
        if not query.cursor and service.engine.fetch([path.item_id], 1.0) == [None]:
            raise ItemNotFound(f"there is no item {path.item_id}")
        return respond(query, lambda now: query.build_query(now, path.item_id))

    @api.post("/rank/<model>", responses={200: RankAnswer})
    def rank(path: ModelPath, body: RankBody) -> Response:
        """Rank your own candidates by a model, or by `current`, the promoted model."""
        model = None if path.model == "current" else path.model
        query = body.build_query(service.clock.now())
        return jsonify(serialize_ranking(service.rank_matches(query, build_matches(body), model)))

    respond = partial(serve_list, service)
    return api


def _add_sorted_lists(api: APIBlueprint, service: SearchService) -> None:
    """Adds the home pages that are sorted by one fact, each under an address of its own."""

    @api.get("/popular", responses={200: ListAnswer})
    def list_popular(query: HomeParameters) -> Response:
        """List what is watched most and the viewer has not watched: recommendations sorted by `popular`."""
        return serve_list(service, query, lambda now: replace(query.build_query(now), sort="popular"))

    @api.get("/new", responses={200: ListAnswer})
    def list_new(query: HomeParameters) -> Response:
        """List what was published last, without what the viewer has watched: sorted by `newest`."""
        return serve_list(service, query, lambda now: replace(query.build_query(now), sort="newest"))


def serve_list(service: SearchService, parameters: ListParameters, build_query: QueryBuilder) -> Response:
    return build_page_response(load_page(service, parameters, build_query), parameters)


def load_page(service: SearchService, parameters: ListParameters, build_query: QueryBuilder) -> Page:
    """Loads the next page of the list that a cursor names, or the first page of a new list.

    What a page of another site requests was seen by nobody, so it records no impression.
    """
    service = adapt_service(service)
    if parameters.cursor:
        page = service.serve_next_page(
            parameters.cursor, parameters.limit, parameters.explain, parameters.user or ""
        )
    else:
        query = build_query(service.clock.now())
        row_size = parameters.rows if isinstance(parameters, HomeParameters) else 0
        options = RankingOptions(
            query, parameters.model, parameters.explain, parameters.facets, row_size=row_size
        )
        page = service.serve_page(options)
    return highlight_page(page) if isinstance(parameters, SearchParameters) and parameters.highlight else page


def adapt_service(service: SearchService) -> SearchService:
    """Returns the service for this request: with what is left of its deadline since it arrived.

    It records nothing when a page of another site sent the request.
    """
    deadline_s = shorten_deadline(service.deadline_s)
    recorder = NoRecorder() if is_cross_site() else service.recorder
    return replace(service, deadline_s=deadline_s, recorder=recorder)


def build_page_response(page: Page, parameters: ListParameters) -> Response:
    count_page(page)
    kept = {"limit": parameters.limit} | ({"user": parameters.user} if parameters.user else {})
    response = jsonify(serialize_page(page, request.path, kept))
    response.headers["Server-Timing"] = format_server_timing(page)
    return response


def build_matches(body: RankBody) -> list[Matches]:
    """Builds one source from the caller's order, and one for each column of scores."""
    ids = encode_item_ids(body.ids)
    given = Matches("given", ids, -np.arange(len(ids), dtype=np.float32))
    scored = [_build_scored_matches(source, ids, scores) for source, scores in body.scores.items()]
    return [given, *scored]


def _build_scored_matches(source: str, ids: ItemIds, scores: list[float | None]) -> Matches:
    column = np.array(scores, np.float32)
    found = np.flatnonzero(~np.isnan(column))
    return select_best_matches(source, ids[found], column[found], len(found))
