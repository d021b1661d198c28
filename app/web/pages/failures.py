"""Failures for people: the same words as problem+json has, on a page."""

from collections.abc import Sequence
from http import HTTPStatus

from flask import Blueprint, Flask, Response, make_response, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, NotFound

from reelrank.app.web.pages.guard import add_security_headers
from reelrank.app.web.pages.person import ViewerProfile, read_user_id
from reelrank.app.web.problems import (
    STATUS_BY_ERROR,
    InvalidRequest,
    build_problem,
    handle_invalid_request,
    handle_known_error,
    handle_unexpected_error,
    handle_validation_error,
)

API_PREFIXES = ("/v1/", "/livez", "/readyz", "/metrics", "/openapi")


def register_error_pages(blueprints: Sequence[Blueprint], app: Flask) -> None:
    """On the pages every failure is a page; elsewhere only an address that a person mistyped."""
    for pages in blueprints:
        for family in STATUS_BY_ERROR:
            pages.register_error_handler(family, lambda error: _render_failure(handle_known_error(error)))
        pages.register_error_handler(
            InvalidRequest, lambda error: _render_failure(handle_invalid_request(error))
        )
        pages.register_error_handler(
            ValidationError, lambda error: _render_failure(handle_validation_error(error))
        )
        pages.register_error_handler(HTTPException, lambda error: _render_failure(_handle_http_error(error)))
        pages.register_error_handler(Exception, lambda error: _render_failure(handle_unexpected_error(error)))
    app.register_error_handler(NotFound, _handle_not_found)


def _handle_not_found(_error: NotFound) -> Response:
    answer = build_problem(HTTPStatus.NOT_FOUND, f"there is nothing at {request.path}")
    wants_page = not request.path.startswith(API_PREFIXES) and "text/html" in request.headers.get(
        "Accept", ""
    )
    return add_security_headers(_render_failure(answer)) if wants_page else answer


def _handle_http_error(error: HTTPException) -> Response:
    return build_problem(HTTPStatus(error.code or 500), error.description or "")


def _render_failure(response: Response) -> Response:
    facts = response.get_json()
    page = make_response(
        render_template("failure.html", facts=facts, page=None, who=ViewerProfile(read_user_id())),
        response.status_code,
    )
    if wait := response.headers.get("Retry-After"):
        page.headers["Retry-After"] = wait
    page.headers["Cache-Control"] = "no-store"
    return page
