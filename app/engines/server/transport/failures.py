"""What a server's refusal means: its status and body as one error of our own family."""

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
    """The error for a reply that is no success; `what` says what was asked, and of whom."""
    kind, reason = parse_error(reply)
    said = f"{action}: {status} {kind} {reason}".rstrip()
    if kind == "cluster_block_exception":
        return Conflict(f"{said}; a promotion holds the index for a moment, or a person has blocked it")
    if kind == "resource_already_exists_exception":
        return Conflict(said)
    if status in (401, 403):
        return Unavailable(f"{said}; check REELRANK_ENGINE_USERNAME, _PASSWORD or _API_KEY and their rights")
    return ERROR_BY_STATUS.get(status, Unavailable if status >= 500 else BadRequest)(said)


def parse_error(reply: Any) -> tuple[str, str]:
    """Type and reason, the deepest cause with it; empty where the server says none."""
    error = reply.get("error") if isinstance(reply, dict) else None
    if not isinstance(error, dict):
        return "", str(error or "")[:300]
    reasons = list[str]()
    cause: Any = error
    while isinstance(cause, dict):
        reasons.append(str(cause.get("reason", "")))
        cause = cause.get("caused_by")
    # "All shards failed" says why here alone.
    reasons += [
        str(root.get("reason") or "") for root in error.get("root_cause", ()) if isinstance(root, dict)
    ]
    return str(error.get("type", "")), ": ".join(dict.fromkeys(filter(None, reasons)))[:600]
