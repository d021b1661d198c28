"""Problems of requests that never reach the application, such as those that gunicorn cannot parse."""

import uuid
from http import HTTPStatus

import orjson
from flask import Response
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException

from reelrank.app.web.access.security_headers import HEADERS
from reelrank.app.web.problem_codes import load_problems
from reelrank.app.web.problems import MEDIA_TYPE, build_problem, build_problem_fields

MAX_REQUEST_LINE = 8190
"""Bytes of a request line: the largest that gunicorn allows without removing the limit."""
MAX_DETAIL_LENGTH = 200


class RequestIncomplete(ParseException, TimeoutError):  # type: ignore[misc]  # gunicorn has no types
    """A request that is longer by its own framing than what arrived. gunicorn closes after a TimeoutError."""


class TooManyChunks(ParseException):  # type: ignore[misc]
    """A body of so many small chunks that parsing them costs far more than sending them."""


def answer_parse_error(error: ParseException) -> Response:
    """Answers for a body whose chunks are found to be invalid when the application reads it."""
    return build_problem("invalid_request", describe_parse_error(error))


def describe_parse_error(error: ParseException) -> str:
    return f"the request is not valid HTTP: {error}"[:MAX_DETAIL_LENGTH]


def encode_request_error(error: BaseException) -> bytes:
    """Returns the whole HTTP response for a request that cannot be parsed, or that failed below Flask."""
    if isinstance(error, LimitRequestLine):
        code = "address_too_long"
        detail = (
            f"the request line is longer than {MAX_REQUEST_LINE} bytes; `POST /v1/search` takes the same "
            "parameters as a JSON body"
        )
    elif isinstance(error, LimitRequestHeaders):
        code, detail = "headers_too_large", "the headers are too many or too long; send fewer cookies"
    elif not isinstance(error, ParseException):
        code, detail = "internal_error", "Internal error. Quote this request id when reporting it."
    else:
        code, detail = "invalid_request", describe_parse_error(error)
    return encode_problem(code, detail)


def encode_problem(code: str, detail: str, retry_after_s: int = 1) -> bytes:
    """Returns the whole HTTP response for a request that no thread serves; its connection closes."""
    status = load_problems()[code].status or HTTPStatus.BAD_REQUEST
    fields = build_problem_fields(code, detail, status, instance="", request_id=uuid.uuid4().hex)
    retry = [f"Retry-After: {retry_after_s}"] if status in (429, 503) else []
    return _encode_response(status, fields["request_id"], orjson.dumps(fields), retry)


def _encode_response(status: HTTPStatus, request_id: str, body: bytes, more: list[str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Connection: close",
        "Cache-Control: no-store",
        f"Content-Type: {MEDIA_TYPE}",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {request_id}",
        *(f"{name}: {value}" for name, value in HEADERS.items()),
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
