"""Ends the write block that an interrupted promotion left on the serving version of a cluster."""

import time
from collections.abc import Callable

import structlog

from reelrank.index_mappings.engine import SearchEngine, WriteBlock
from reelrank.index_mappings.errors import EngineError, explain

log = structlog.get_logger("reelrank.live")

CHECK_EVERY_S = 10.0
LEFT_AFTER_S = 30.0
"""A running promotion blocks writes while it copies the last live changes: a second or two."""


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
