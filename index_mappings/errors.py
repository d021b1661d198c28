"""One failure, one error type, whatever engine or client library it came from."""

from typing import Any


class EngineError(Exception):
    """A failure of a search engine or event store. The message says what, where and what to do."""


class Timeout(EngineError):
    """No answer within the time that was left."""


class Throttled(EngineError):
    """The engine asks for less; retry after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(EngineError):
    """The engine cannot be reached or is not ready."""


class BadRequest(EngineError):
    """The engine refuses what was asked; asking again will not help."""


class NotFound(EngineError):
    """No such item, index version or index."""


class Conflict(EngineError):
    """Somebody else changed or holds it: a version that exists, a writer that is at work."""


class Partial(EngineError):
    """Only part of the index answered.

    found: what that part says, in the form of a whole answer; None where it is of no use.
    """

    def __init__(self, message: str, partial_result: Any = None) -> None:
        super().__init__(message)
        self.partial_result = partial_result


TRANSIENT = (Timeout, Throttled, Unavailable, Partial)
"""Failures that pass: the same may be asked again later."""
