"""Failures as problem+json (RFC 9457): what is wrong, where, and what to do."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from http import HTTPStatus
from math import ceil
from typing import Any

import orjson
import structlog
from flask import Flask, Response, current_app, g, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from reelrank.app.web.problem_codes import find_problem, list_http_problems, load_problems
from reelrank.app.web.telemetry import log_cause
from reelrank.index_mappings.errors import STORAGE_FAILURES, CodedError, describe_storage_failure
from reelrank.loaders.fields.field_errors import list_errors

log = structlog.get_logger("reelrank.web")
FIELD_SENTENCES = {
    "extra_forbidden": "there is no such parameter; /openapi lists them all",
    "missing": "it is missing; give it a value",
    "too_short": "give at least {min_length}",
    "too_long": "give at most {max_length}",
    "string_too_long": "it has {length:,} characters; give at most {max_length}",
}
"""By the type of pydantic's error, in place of its own message. length: of the value that was sent."""
VALUE_SENTENCES = {
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
    "float_parsing": "give a number",
    "bool_parsing": "give true or false",
    "greater_than_equal": "give {ge} or more",
    "less_than_equal": "give {le} or less",
}
"""The same, followed by the value that was sent."""
MAX_QUOTED = 40
"""Characters of a wrong value that a message repeats."""

MEDIA_TYPE = "application/problem+json"
CODE_BY_STATUS = {
    HTTPStatus.NOT_FOUND: "address_not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
}
"""Codes of the failures that Flask itself finds; any other 4xx is an invalid request."""
RETRY_AFTER_S = 1


class InvalidRequest(Exception):
    """A request that its sender can correct. field_errors: (field, what is wrong and what to do)."""

    def __init__(self, *field_errors: tuple[str, str], code: str = "invalid_request") -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in field_errors))
        self.field_errors = field_errors
        self.code = code


class RequestForbidden(CodedError):
    """A request that this client may not send."""


def build_problem(
    code: str,
    detail: str,
    field_errors: Sequence[tuple[str, str]] = (),
    retry_after_s: float | None = None,
    status: HTTPStatus | None = None,
) -> Response:
    """Answers with a problem of the table. status: where it differs from the table's."""
    status = status or load_problems()[code].status or HTTPStatus.INTERNAL_SERVER_ERROR
    body = build_problem_fields(code, detail, status, request.path, g.get("request_id", ""))
    if field_errors:
        body["errors"] = [{"field": field, "detail": message} for field, message in field_errors]
    response = Response(orjson.dumps(body), status.value, content_type=MEDIA_TYPE)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, ceil(retry_after_s)))
    return response


def build_problem_fields(
    code: str, detail: str, status: HTTPStatus, instance: str, request_id: str
) -> dict[str, Any]:
    """Returns the members of problem+json, without field errors."""
    problem = load_problems()[code]
    return {
        "type": problem.type_uri,
        "code": code,
        "title": problem.title,
        "status": status.value,
        "detail": detail,
        "instance": instance,
        "request_id": request_id,
    }


def build_problem_schema() -> dict[str, Any]:
    """Returns the JSON schema of a problem."""
    text = {"type": "string"}
    field_error = {"type": "object", "properties": {"field": text, "detail": text}}
    properties = {
        "type": {"type": "string", "format": "uri-reference", "description": "The page about this code."},
        "code": {"type": "string", "enum": [problem.code for problem in list_http_problems()]},
        "title": text,
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "instance": text,
        "request_id": text,
        "errors": {"type": "array", "items": field_error, "description": "The fields to correct."},
    }
    return {
        "type": "object",
        "title": "Problem",
        "description": "What is wrong, where, and what to do (RFC 9457).",
        "properties": properties,
        "required": [name for name in properties if name != "errors"],
        "additionalProperties": False,
    }


def register_error_handlers(app: Flask) -> None:
    """Makes every failure of every endpoint answer with problem+json."""
    app.register_error_handler(CodedError, handle_coded_error)
    app.register_error_handler(InvalidRequest, handle_invalid_request)
    app.register_error_handler(ValidationError, handle_validation_error)
    app.register_error_handler(HTTPException, _handle_http_error)
    app.register_error_handler(OSError, handle_storage_failure)
    app.register_error_handler(Exception, handle_unexpected_error)


def handle_coded_error(error: CodedError) -> Response:
    """Answers with the problem whose code the error carries."""
    problem = find_problem(error)
    log_cause(error)
    retry = getattr(error, "retry_after_s", RETRY_AFTER_S) if problem.status in (429, 503, 504) else None
    return build_problem(problem.code, str(error), retry_after_s=retry)


def handle_invalid_request(error: InvalidRequest) -> Response:
    """Names each field that this service itself found to be wrong."""
    return build_problem(error.code, str(error), error.field_errors)


def handle_validation_error(error: ValidationError) -> Response:
    """Names each field that pydantic found to be wrong, and what to send instead."""
    messages = [_describe_field_error(dict(detail)) for detail in list_errors(error)]
    return handle_invalid_request(InvalidRequest(*messages))


def build_http_problem(error: HTTPException) -> Response:
    """Answers with the problem that stands for one of Flask's own failures."""
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    code = CODE_BY_STATUS.get(status, "internal_error" if status.value >= 500 else "invalid_request")
    detail = error.description or ""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        detail = f"the body is larger than REELRANK_BODY_BYTES_MAX ({limit} bytes); send several smaller ones"
    response = build_problem(code, detail, status=status)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _handle_http_error(error: HTTPException) -> Response:
    if error.response is not None:  # a complete response that `abort` ended the request with
        return error.get_response()  # type: ignore[return-value]  # werkzeug's sans-io supertype
    return build_http_problem(error)


def handle_storage_failure(error: OSError) -> Response:
    """Answers 503 for a full, failing or read-only disk; any other is an error that no handler expects."""
    if error.errno not in STORAGE_FAILURES:
        return handle_unexpected_error(error)
    log.error("the disk cannot be used", reason=describe_storage_failure(error))
    return build_problem("storage_failed", error.strerror or "the disk failed", retry_after_s=RETRY_AFTER_S)


def handle_unexpected_error(error: Exception) -> Response:
    """Logs an error that no handler expects; the answer does not quote it."""
    log.exception("unexpected error", exc_info=error)
    return build_problem("internal_error", "Internal error. Quote this request id when reporting it.")


def _describe_field_error(error: dict[str, Any]) -> tuple[str, str]:
    if not error["loc"]:  # of the whole model: the message may begin with the name of its field
        field, colon, message = error["msg"].removeprefix("Value error, ").partition(": ")
        is_field = colon and " " not in field
        return (field, message) if is_field else ("request", f"{field}{colon}{message}")
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "literal_error":
        return field, _describe_unknown_value(error)
    if (sentence := FIELD_SENTENCES.get(error["type"])) is not None:
        sent = error.get("input")
        return field, sentence.format(
            **error.get("ctx", {}), length=len(sent) if isinstance(sent, str) else 0
        )
    message = error["msg"].removeprefix("Value error, ")
    if (wanted := VALUE_SENTENCES.get(error["type"])) is not None:
        message = wanted.format(**error.get("ctx", {}))
    return field, f"{message}{_quote_value(error.get('input'))}"[:300]


def _quote_value(value: Any) -> str:
    if isinstance(value, str) and len(value) > MAX_QUOTED:
        return f" (given: {value[:MAX_QUOTED]!r} and {len(value) - MAX_QUOTED:,} more characters)"
    return f" (given: {value!r})" if isinstance(value, (str, int, float, bool)) else ""


def _describe_unknown_value(error: dict[str, Any]) -> str:
    """Names the nearest right value, and all of them."""
    known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    given = str(error["input"])[:MAX_QUOTED]
    (nearest,) = get_close_matches(given.lower(), known, n=1, cutoff=0.0)
    return f"there is no {given!r}; did you mean {nearest}? Use one of {', '.join(known)}"
