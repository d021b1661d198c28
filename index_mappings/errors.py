"""One error type for each kind of failure, whatever engine or client library it came from.

Code decides by the type. People and clients read the `code`, which the HTTP API and the command line print.
"""

import errno
from dataclasses import dataclass
from typing import Any


class CodedError(Exception):
    """An error whose reason has a stable code in the table of problems (app/web/problem_codes.py).

    code: of this reason, or of the type of error where a reason has none of its own. All reasons of one type
    have the same HTTP status and exit code. cause: the words of a client library or a server about it; logs
    and the command line show them, answers do not.
    """

    code: str
    cause: str = ""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        if code:
            self.code = code


def explain(error: Exception) -> str:
    """Returns the message of an error and its cause, for operators."""
    cause = error.cause if isinstance(error, CodedError) else ""
    return f"{error} ({cause})" if cause else str(error)


STORAGE_FAILURES = frozenset(
    {
        errno.ENOSPC,
        errno.EROFS,
        errno.EIO,
        errno.EDQUOT,
        errno.EACCES,
        errno.EPERM,
        errno.EMFILE,
        errno.ENFILE,
    }
)
"""Numbers of failures of the machine: a full, read-only or failing disk, permissions, open files."""


def describe_storage_failure(error: OSError) -> str:
    """Returns which file failed and why, in one line."""
    return f"{error.filename or 'a file'}: {error.strerror}"


class EngineError(CodedError):
    """A failure of a search engine or event store. The message says what, where and what to do."""


class Timeout(EngineError):
    """No answer within the remaining time."""

    code = "timeout"


class Throttled(EngineError):
    """The engine is overloaded; retry after `retry_after_s` seconds."""

    code = "throttled"

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(EngineError):
    """The engine cannot be reached or is not ready."""

    code = "unavailable"


class BadRequest(EngineError):
    """The engine rejects the request; sending it again will not help."""

    code = "request_rejected"


class NotFound(EngineError):
    """Something that the request names does not exist."""

    code = "not_found"


class ItemNotFound(NotFound):
    """The catalogue holds no item with this id."""

    code = "item_not_found"


class ModelNotFound(NotFound):
    """The registry holds no model with this id."""

    code = "model_not_found"


class IndexVersionNotFound(NotFound):
    """The engine holds no index version with this name."""

    code = "index_version_not_found"


class CursorExpired(NotFound):
    """The result list that a cursor names is unknown or has expired."""

    code = "cursor_expired"


class Conflict(EngineError):
    """Another process changed or locked it: a version that exists, a writer in progress."""

    code = "conflict"


class Partial(EngineError):
    """Only part of the index answered.

    partial_result: what that part answered, in the form of a whole answer; None where it is unusable.
    """

    code = "partial_result"

    def __init__(self, message: str, partial_result: Any = None) -> None:
        super().__init__(message)
        self.partial_result = partial_result


TRANSIENT = (Timeout, Throttled, Unavailable, Partial)
"""Failures that pass: the same request may succeed later."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """What an answer lacks, and why.

    source: what is missing, such as a candidate source, `viewer`, `items` or `ranking`; few enough values
    to count by. code: stable, in snake case; code that decides anything reads it. detail: the reason.
    """

    source: str
    code: str
    detail: str = ""

    def __str__(self) -> str:
        """Returns the text that answers show."""
        return f"{self.source}: {self.detail}" if self.detail else self.source


NO_MODEL = Degradation("no model is promoted", "no_model")
"""No part of an answer is missing, but nothing has learned its order yet."""


def describe_failure(source: str, error: EngineError) -> Degradation:
    """Returns the degradation of an answer that goes without `source`."""
    return Degradation(source, error.code, str(error))
