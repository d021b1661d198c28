"""Failures for people: the same words as problem+json has, on a page."""

from collections.abc import Sequence
from http import HTTPStatus

from flask import Blueprint, Flask, Response, make_response, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, NotFound

from app.web.pages.guard import protect
from app.web.pages.person import Person, picked_name
from app.web.problems import STATUS_OF, InvalidRequest, invalid, invalid_request, known, problem, unexpected

API = ("/v1/", "/livez", "/readyz", "/metrics", "/openapi")


def show_failures(blueprints: Sequence[Blueprint], app: Flask) -> None:
    """On the pages every failure is a page; elsewhere only an address that a person mistyped."""
    for pages in blueprints:
        for family in STATUS_OF:
            pages.register_error_handler(family, lambda error: _as_page(known(error)))
        pages.register_error_handler(InvalidRequest, lambda error: _as_page(invalid_request(error)))
        pages.register_error_handler(ValidationError, lambda error: _as_page(invalid(error)))
        pages.register_error_handler(HTTPException, lambda error: _as_page(_http(error)))
        pages.register_error_handler(Exception, lambda error: _as_page(unexpected(error)))
    app.register_error_handler(NotFound, _lost)


def _lost(_error: NotFound) -> Response:
    answer = problem(HTTPStatus.NOT_FOUND, f"there is nothing at {request.path}")
    wants_page = not request.path.startswith(API) and "text/html" in request.headers.get("Accept", "")
    return protect(_as_page(answer)) if wants_page else answer


def _http(error: HTTPException) -> Response:
    return problem(HTTPStatus(error.code or 500), error.description or "")


def _as_page(answer: Response) -> Response:
    facts = answer.get_json()
    page = make_response(
        render_template("failure.html", facts=facts, page=None, who=Person(picked_name())), answer.status_code
    )
    if wait := answer.headers.get("Retry-After"):
        page.headers["Retry-After"] = wait
    page.headers["Cache-Control"] = "no-store"
    return page
