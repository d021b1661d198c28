"""Failures as problem+json (RFC 9457): what, where, and what to do."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from reelrank.index_mappings import errors
from reelrank.ranking.rankers.manifest import ModelRejected

log = structlog.get_logger("reelrank.web")

STATUS_BY_ERROR: dict[type[Exception], HTTPStatus] = {
    errors.Timeout: HTTPStatus.GATEWAY_TIMEOUT,
    errors.Throttled: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.BadRequest: HTTPStatus.BAD_REQUEST,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Partial: HTTPStatus.SERVICE_UNAVAILABLE,
    ModelRejected: HTTPStatus.CONFLICT,
}
RETRY_AFTER_S = 1


class InvalidRequest(Exception):
    """A request that a person can correct. faults: (field, what is wrong and what to do)."""

    def __init__(self, *field_errors: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {fault}" for field, fault in field_errors))
        self.field_errors = field_errors


def build_problem(
    status: HTTPStatus,
    detail: str,
    field_errors: Sequence[tuple[str, str]] = (),
    retry_after_s: float | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": request.path,
        "request_id": g.get("request_id", ""),
    }
    if field_errors:
        body["errors"] = [{"field": field, "detail": fault} for field, fault in field_errors]
    response = Response(orjson.dumps(body), status.value, content_type="application/problem+json")
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_after_s)))
    return response


def handle_validation_error(error: ValidationError) -> Response:
    """What pydantic found, field by field, in words that say what to send instead."""
    faults = [_describe_field_error(dict(each)) for each in error.errors(include_url=False)]
    detail = "; ".join(f"{field}: {fault}" for field, fault in faults)
    return build_problem(HTTPStatus.BAD_REQUEST, detail, faults)


def register_error_handlers(app: Flask) -> None:
    """Every failure of every endpoint under these handlers answers problem+json."""
    for family in STATUS_BY_ERROR:
        app.register_error_handler(family, handle_known_error)
    app.register_error_handler(InvalidRequest, handle_invalid_request)
    app.register_error_handler(ValidationError, handle_validation_error)
    app.register_error_handler(HTTPException, _handle_http_error)
    app.register_error_handler(Exception, handle_unexpected_error)


def handle_known_error(error: Exception) -> Response:
    """A failure of STATUS_OF."""
    status = next(STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR)
    retry = getattr(error, "retry_after_s", RETRY_AFTER_S) if status in (503, 504) else None
    return build_problem(status, str(error), retry_after_s=retry)


def handle_invalid_request(error: InvalidRequest) -> Response:
    """What we found wrong ourselves, field by field."""
    return build_problem(HTTPStatus.BAD_REQUEST, str(error), error.field_errors)


def _handle_http_error(error: HTTPException) -> Response:
    if error.response is not None:  # an answer somebody already made, and stopped the request with
        return error.get_response()  # type: ignore[return-value]  # werkzeug's sans-io supertype
    return build_problem(HTTPStatus(error.code or 500), error.description or "")


def handle_unexpected_error(error: Exception) -> Response:
    """A failure nobody foresaw; it goes into the log."""
    log.exception("a request failed", exc_info=error)
    return build_problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "a mistake of ours; the log has it by this request id"
    )


def _describe_field_error(error: dict[str, Any]) -> tuple[str, str]:
    if not error["loc"]:  # of all together: the words may begin with the one they are about
        field, colon, words = error["msg"].removeprefix("Value error, ").partition(": ")
        return (field, words) if colon and " " not in field else ("request", f"{field}{colon}{words}")
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return field, "there is no such parameter; see /openapi"
    if error["type"] == "missing":
        return field, "it is missing; give it a value"
    given = error.get("input")
    shown = f" (given: {given!r})" if isinstance(given, (str, int, float, bool)) else ""
    return field, f"{error['msg'].removeprefix('Value error, ')}{shown}"[:300]
