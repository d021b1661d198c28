"""Failures as problem+json (RFC 9457): what, where, and what to do."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from index_mappings import errors
from ranking.manifest import Refused

log = structlog.get_logger("reelrank.web")

STATUS_OF: dict[type[Exception], HTTPStatus] = {
    errors.Timeout: HTTPStatus.GATEWAY_TIMEOUT,
    errors.Throttled: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.BadRequest: HTTPStatus.BAD_REQUEST,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Partial: HTTPStatus.SERVICE_UNAVAILABLE,
    Refused: HTTPStatus.CONFLICT,
}
RETRY_AFTER_S = 1


class InvalidRequest(Exception):
    """A request that a person can correct. faults: (field, what is wrong and what to do)."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {fault}" for field, fault in faults))
        self.faults = faults


def problem(
    status: HTTPStatus,
    detail: str,
    faults: Sequence[tuple[str, str]] = (),
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
    if faults:
        body["errors"] = [{"field": field, "detail": fault} for field, fault in faults]
    response = Response(orjson.dumps(body), status.value, content_type="application/problem+json")
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_after_s)))
    return response


def invalid(error: ValidationError) -> Response:
    """What pydantic found, field by field, in words that say what to send instead."""
    faults = [_fault(dict(each)) for each in error.errors(include_url=False)]
    detail = "; ".join(f"{field}: {fault}" for field, fault in faults)
    return problem(HTTPStatus.BAD_REQUEST, detail, faults)


def handle_failures(app: Flask) -> None:
    """Every failure of every endpoint under these handlers answers problem+json."""
    for family in STATUS_OF:
        app.register_error_handler(family, known)
    app.register_error_handler(InvalidRequest, invalid_request)
    app.register_error_handler(ValidationError, invalid)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, unexpected)


def known(error: Exception) -> Response:
    """A failure of STATUS_OF."""
    status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    retry = getattr(error, "retry_after_s", RETRY_AFTER_S) if status in (503, 504) else None
    return problem(status, str(error), retry_after_s=retry)


def invalid_request(error: InvalidRequest) -> Response:
    """What we found wrong ourselves, field by field."""
    return problem(HTTPStatus.BAD_REQUEST, str(error), error.faults)


def _http(error: HTTPException) -> Response:
    if error.response is not None:  # an answer somebody already made, and stopped the request with
        return error.get_response()  # type: ignore[return-value]  # werkzeug's sans-io supertype
    return problem(HTTPStatus(error.code or 500), error.description or "")


def unexpected(error: Exception) -> Response:
    """A failure nobody foresaw; it goes into the log."""
    log.exception("a request failed", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a mistake of ours; the log has it by this request id")


def _fault(error: dict[str, Any]) -> tuple[str, str]:
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
