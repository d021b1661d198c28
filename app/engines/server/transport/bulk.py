"""Bulk writes: chunks limited by bytes, a result per document, retries while the server throttles.

The clients' own helpers lose throttled documents or stop at the first error. Here a document with a
temporary status is retried, in smaller chunks; a permanent error is returned with its reason.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from reelrank.app.engines.server.transport.cluster import NDJSON, Cluster
from reelrank.app.engines.server.transport.failures import build_error, parse_error
from reelrank.index_mappings.errors import Throttled, Timeout, Unavailable

CHUNK_BYTES = 8_000_000
"""Elastic recommends 5 to 15 MB; this is a tenth of http.max_content_length."""
MIN_CHUNK_BYTES = 64_000
RETRY_STATUSES = (429, 503)
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 5.0
MAX_STALL_S = 60.0
"""A write gives up when the server accepts no document for this long."""
RESPONSE_FILTER = (
    "errors,items.*.status,items.*._seq_no,items.*.error.type,items.*.error.reason,items.*.error.caused_by"
)


@dataclass(frozen=True, slots=True)
class BulkAction:
    """One action of a bulk request: a header line, and the document unless it is a deletion."""

    operation: str
    document_id: str
    source: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None

    def encode(self) -> bytes:
        header = orjson.dumps({self.operation: {"_id": self.document_id, **(self.params or {})}})
        if self.source is None:
            return header + b"\n"
        return header + b"\n" + orjson.dumps(self.source, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The server's response to one action. reason: empty on success. seq_no: of the change, on success."""

    status: int
    error_type: str = ""
    reason: str = ""
    seq_no: int = -1

    @property
    def succeeded(self) -> bool:
        return self.status < 300


class BulkWriter:
    """Writes to one target index. `sleep` waits between attempts; tests measure the pauses."""

    def __init__(
        self,
        cluster: Cluster,
        target: str,
        params: str = "",
        max_stall_s: float = MAX_STALL_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cluster = cluster
        self.path = f"/{target}/_bulk?filter_path={RESPONSE_FILTER}{params}"
        self.chunk_bytes = CHUNK_BYTES
        self.max_stall_s = max_stall_s
        self.sleep = sleep
        self.throttled = 0

    def write(self, actions: Sequence[BulkAction]) -> list[ActionResult]:
        """Writes actions until each has a final result.

        Raises Throttled, Unavailable or Timeout when the server accepts nothing for `max_stall_s`. Actions
        accepted before are written; writing them again is harmless.
        """
        payloads = [action.encode() for action in actions]
        results: list[ActionResult | None] = [None] * len(actions)
        pending, pause, accepted_at = list(range(len(actions))), FIRST_PAUSE_S, time.monotonic()
        while pending:
            before = len(pending)
            for position, result in self._attempt(pending, payloads):
                results[position] = result
            pending = [position for position in pending if results[position] is None]
            if len(pending) < before:
                pause, accepted_at = FIRST_PAUSE_S, time.monotonic()
            if pending:
                self._back_off(pause, accepted_at)
                pause = min(2 * pause, MAX_PAUSE_S)
        return [result for result in results if result is not None]

    def _attempt(
        self, positions: Sequence[int], payloads: Sequence[bytes]
    ) -> Iterator[tuple[int, ActionResult]]:
        """Yields the final results of one pass; actions without one must be retried."""
        for chunk in _split_chunks(positions, payloads, self.chunk_bytes):
            body = b"".join(payloads[position] for position in chunk)
            try:
                status, reply = self.cluster.send_once("POST", self.path, body, NDJSON)
            except (Unavailable, Timeout) as error:
                self._last_refusal: Exception = error
                return
            if status in RETRY_STATUSES:
                self._record_refusal(build_error(status, reply, f"bulk write on {self.cluster.name}"))
                return
            self.cluster.check_response(status, reply, "bulk write")
            yield from self._decode_results(chunk, reply)

    def _decode_results(
        self, chunk: Sequence[int], reply: Mapping[str, Any]
    ) -> Iterator[tuple[int, ActionResult]]:
        for position, item in zip(chunk, reply["items"], strict=True):
            (answer,) = item.values()
            if answer["status"] in RETRY_STATUSES:
                self._record_refusal(
                    build_error(answer["status"], answer, f"bulk write on {self.cluster.name}")
                )
            else:
                yield (
                    position,
                    ActionResult(answer["status"], *parse_error(answer), answer.get("_seq_no", -1)),
                )

    def _record_refusal(self, refusal: Exception) -> None:
        self.throttled += 1
        self._last_refusal = refusal

    def _back_off(self, pause: float, accepted_at: float) -> None:
        """Waits, with jitter so that several loaders do not retry together, and halves the chunk size."""
        remaining_s = accepted_at + self.max_stall_s - time.monotonic()
        if remaining_s <= 0:
            raise self._last_refusal
        if isinstance(self._last_refusal, Throttled | Unavailable):
            self.chunk_bytes = max(self.chunk_bytes // 2, MIN_CHUNK_BYTES)
        self.sleep(min(pause * random.uniform(0.5, 1.0), remaining_s))


def _split_chunks(positions: Sequence[int], payloads: Sequence[bytes], max_bytes: int) -> Iterator[list[int]]:
    """Splits positions into chunks of at most `max_bytes`; a larger payload is a chunk by itself."""
    chunk, size = list[int](), 0
    for position in positions:
        if chunk and size + len(payloads[position]) > max_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(position)
        size += len(payloads[position])
    if chunk:
        yield chunk
