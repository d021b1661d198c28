"""Error pages: the content of problem+json, as HTML."""

from collections.abc import Sequence

from flask import Blueprint, Flask, Response, make_response, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, NotFound

from reelrank.app.web.pages.person import ViewerProfile, read_user_id
from reelrank.app.web.problems import (
    InvalidRequest,
    build_http_problem,
    build_problem,
    handle_coded_error,
    handle_invalid_request,
    handle_unexpected_error,
    handle_validation_error,
)
from reelrank.index_mappings.errors import CodedError

FIELD_LABELS = {
    "q": "The search text",
    "year_min": "The first year",
    "year_max": "The last year",
    "duration_min_s": "The shortest length",
    "duration_max_s": "The longest length",
    "sort": "The order of the list",
}
"""Parameters of a page as its visitor knows them; others keep their names."""
API_PREFIXES = ("/v1/", "/livez", "/readyz", "/metrics", "/openapi")


def register_error_pages(blueprints: Sequence[Blueprint], app: Flask) -> None:
    """Makes every failure of these blueprints a page, and an unknown address that a browser opens."""
    for pages in blueprints:
        pages.register_error_handler(CodedError, lambda error: _render_failure(handle_coded_error(error)))
        pages.register_error_handler(
            InvalidRequest, lambda error: _render_failure(handle_invalid_request(error))
        )
        pages.register_error_handler(
            ValidationError, lambda error: _render_failure(handle_validation_error(error))
        )
        pages.register_error_handler(HTTPException, lambda error: _render_failure(build_http_problem(error)))
        pages.register_error_handler(Exception, lambda error: _render_failure(handle_unexpected_error(error)))
    app.register_error_handler(NotFound, _handle_not_found)


def _handle_not_found(_error: NotFound) -> Response:
    answer = build_problem("address_not_found", f"there is nothing at {request.path}")
    wants_page = not request.path.startswith(API_PREFIXES) and "text/html" in request.headers.get(
        "Accept", ""
    )
    return _render_failure(answer) if wants_page else answer


def _render_failure(response: Response) -> Response:
    problem = response.get_json()
    if errors := problem.get("errors"):
        named = (f"{FIELD_LABELS.get(error['field'], error['field'])}: {error['detail']}" for error in errors)
        problem["detail"] = "; ".join(named)
    page = make_response(
        render_template("failure.html", problem=problem, page=None, viewer=ViewerProfile(read_user_id())),
        response.status_code,
    )
    if wait := response.headers.get("Retry-After"):
        page.headers["Retry-After"] = wait
    page.headers["Cache-Control"] = "no-store"
    return page
