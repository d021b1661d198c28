"""Converts error responses of a server to engine errors."""

from typing import Any

from reelrank.index_mappings.errors import (
    BadRequest,
    Conflict,
    EngineError,
    NotFound,
    Throttled,
    Timeout,
    Unavailable,
)

ERROR_BY_STATUS: dict[int, type[EngineError]] = {
    404: NotFound,
    408: Timeout,
    409: Conflict,
    429: Throttled,
    504: Timeout,
}


def build_error(status: int, reply: Any, action: str) -> EngineError:
    """Builds the error of an unsuccessful response. action: what was requested, and of which server.

    What the server says about it is the cause: an answer to a viewer does not show it.
    """
    kind, reason = parse_error(reply)
    error = _choose_error(status, kind, f"{action} failed with status {status}")
    error.cause = f"{kind} {reason}".strip()
    return error


def _choose_error(status: int, kind: str, message: str) -> EngineError:
    if kind == "cluster_block_exception":
        return Conflict(
            f"{message}; writes to the index are blocked, briefly by a promotion, or by an administrator",
            code="writes_blocked",
        )
    if kind == "resource_already_exists_exception":
        return Conflict(message, code="index_version_exists")
    if status in (401, 403):
        return Unavailable(
            f"{message}; check REELRANK_ENGINE_USERNAME, _PASSWORD or _API_KEY, and their privileges",
            code="engine_access_denied",
        )
    return ERROR_BY_STATUS.get(status, Unavailable if status >= 500 else BadRequest)(message)


def parse_error(reply: Any) -> tuple[str, str]:
    """Returns error type and reason, including nested causes; empty strings if the server gave none."""
    error = reply.get("error") if isinstance(reply, dict) else None
    if not isinstance(error, dict):
        return "", str(error or "")[:300]
    reasons = list[str]()
    cause: Any = error
    while isinstance(cause, dict):
        reasons.append(str(cause.get("reason", "")))
        cause = cause.get("caused_by")
    # "All shards failed" has its reason only here.
    reasons += [
        str(root.get("reason") or "") for root in error.get("root_cause", ()) if isinstance(root, dict)
    ]
    return str(error.get("type", "")), ": ".join(dict.fromkeys(filter(None, reasons)))[:600]
