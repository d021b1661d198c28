"""What a worker watches of its engine: write blocks that were left, and whether it answers in time again."""

import time
from collections.abc import Callable

import structlog

from reelrank.index_mappings.engine import SearchEngine, WriteBlock
from reelrank.index_mappings.errors import EngineError, explain

log = structlog.get_logger("reelrank.live")

CHECK_EVERY_S = 10.0
LEFT_AFTER_S = 30.0
"""A running promotion blocks writes while it copies the last live changes: a second or two."""
MAX_TRIES = 20
"""After so many the worker takes requests all the same: late sources are better than none."""


class WriteBlockWatch:
    """Looks for a block now and then. One that is still there after LEFT_AFTER_S was left behind.

    end_block: ends it if it is still there; raises EngineError. A block that no promotion made stays: an
    administrator may need it.
    """

    def __init__(self, engine: SearchEngine, end_block: Callable[[WriteBlock], None]) -> None:
        self._engine = engine
        self._end_block = end_block
        self._block: WriteBlock | None = None
        self._seen_at = 0.0
        self._check_at = 0.0

    def check(self) -> None:
        """Checks when it is time to. Logs an engine error: lists are answered all the same."""
        if time.monotonic() < self._check_at:
            return
        self._check_at = time.monotonic() + CHECK_EVERY_S
        try:
            self._check_now()
        except EngineError as error:
            log.warning("the write block is not ended", reason=explain(error))

    def _check_now(self) -> None:
        block = self._engine.find_write_block()
        if block is None or block != self._block:
            self._block, self._seen_at = block, time.monotonic()
            return
        if block.promoted_to and time.monotonic() >= self._seen_at + LEFT_AFTER_S:
            self._end_block(block)
            log.warning("ended the write block of an interrupted promotion", version=block.version)


class EngineRecovery:
    """Counts the tries that are left until an engine that came back answers in time again."""

    def __init__(self) -> None:
        self._tries_left = 0

    @property
    def is_over(self) -> bool:
        return not self._tries_left

    def follow(self, is_away: bool, try_searches: Callable[[], bool]) -> None:
        """Takes note of a refresh. try_searches: searches, and returns whether all were answered in time."""
        if is_away:
            self._tries_left = MAX_TRIES
        elif self._tries_left:
            self._tries_left = 0 if try_searches() else self._tries_left - 1
