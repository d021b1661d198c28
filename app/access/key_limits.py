"""Limits of requests and events for each API key, over all workers of a machine.

They are leaky buckets (GCRA): a slot of a file that the workers map holds, for each key and kind, the time at
which its debt is paid. Workers read and write slots without a lock: of two at once, one may count for both.
"""

import mmap
import os
import time
from pathlib import Path
from zlib import crc32

from reelrank.index_mappings.errors import CodedError

BURST_S = 10.0
"""Seconds whose requests may come at once."""
SLOTS = 1 << 20
"""Of 8 bytes, in a sparse file. Of 30 keys, two share one with a probability of 0.1 %."""
LIMITS_FILE = "key-limits"


class KeyLimitReached(CodedError):
    """A key sent more than its limit. retry_after_s: seconds until it may send again."""

    code = "key_limit_reached"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class KeyLimits:
    """Counts what each key sends. directory: which the workers share; None: this process counts alone."""

    def __init__(self, requests_per_s: float, events_per_s: float, directory: Path | None = None) -> None:
        self._rates = {"requests": requests_per_s, "events": events_per_s}
        self._times = _map_slots(directory) if any(self._rates.values()) else None

    def count(self, key_id: str, kind: str, amount: int = 1) -> None:
        """Counts requests or events of a key. Raises KeyLimitReached when it is in debt for over BURST_S.

        What is counted is allowed as a whole, however much: a large batch is paid for afterwards.
        """
        rate = self._rates[kind]
        if not rate or self._times is None:
            return
        slot, now = crc32(f"{kind} {key_id}".encode()) % SLOTS, time.monotonic()
        paid_at = max(self._times[slot], now)
        if paid_at - now > BURST_S:
            message = f"the key {key_id} sent more than {rate:g} {kind} a second; send them later"
            raise KeyLimitReached(message, paid_at - now - BURST_S)
        self._times[slot] = paid_at + amount / rate


def _map_slots(directory: Path | None) -> "memoryview[float]":
    """Returns the slots as doubles; in memory of this process where the directory cannot be written."""
    size = 8 * SLOTS
    try:
        if directory is not None:
            descriptor = os.open(directory / LIMITS_FILE, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(descriptor, size)
                return memoryview(mmap.mmap(descriptor, size)).cast("d")
            finally:
                os.close(descriptor)
    except OSError:
        pass
    return memoryview(bytearray(size)).cast("d")
