"""Bulk writes: chunks by bytes, every document judged by its own status, throttling waited out.

The clients' own helpers lose what is throttled, or stop at the first error: a status that says
"later" is asked again here, in smaller chunks; one that says "never" is handed back with its reason.
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
"""Elastic's advice is 5 to 15 MB; a tenth of http.max_content_length."""
MIN_CHUNK_BYTES = 64_000
RETRY_STATUSES = (429, 503)
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 5.0
MAX_STALL_S = 60.0
"""Without a single document taken for so long, a write gives up."""
RESPONSE_FILTER = (
    "errors,items.*.status,items.*._seq_no,items.*.error.type,items.*.error.reason,items.*.error.caused_by"
)


@dataclass(frozen=True, slots=True)
class BulkAction:
    """One line of a bulk request, or two: what to do, and the document it is done with."""

    operation: str
    document_id: str
    source: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None

    def encode(self) -> bytes:
        head = orjson.dumps({self.operation: {"_id": self.document_id, **(self.params or {})}})
        if self.source is None:
            return head + b"\n"
        return head + b"\n" + orjson.dumps(self.source, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What the server says of one action. reason: empty when it was done. seq_no: of the change, then."""

    status: int
    error_type: str = ""
    reason: str = ""
    seq_no: int = -1

    @property
    def succeeded(self) -> bool:
        return self.status < 300


class BulkWriter:
    """Writes to one target. `sleep` waits between attempts; tests look at how long."""

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
        """A verdict for each action, none of them "later".

        Raises Throttled, Unavailable or Timeout when the server takes nothing for `patience_s`;
        what was taken until then is written, and writing it again does no harm.
        """
        payloads = [action.encode() for action in actions]
        verdicts: list[ActionResult | None] = [None] * len(actions)
        waiting, pause, taken_at = list(range(len(actions))), FIRST_PAUSE_S, time.monotonic()
        while waiting:
            before = len(waiting)
            for place, verdict in self._attempt(waiting, payloads):
                verdicts[place] = verdict
            waiting = [place for place in waiting if verdicts[place] is None]
            if len(waiting) < before:
                pause, taken_at = FIRST_PAUSE_S, time.monotonic()
            if waiting:
                self._back_off(pause, taken_at)
                pause = min(2 * pause, MAX_PAUSE_S)
        return [verdict for verdict in verdicts if verdict is not None]

    def _attempt(
        self, positions: Sequence[int], payloads: Sequence[bytes]
    ) -> Iterator[tuple[int, ActionResult]]:
        """Verdicts of one pass over what waits; what gets none is to be asked again."""
        for chunk in _split_chunks(positions, payloads, self.chunk_bytes):
            body = b"".join(payloads[place] for place in chunk)
            try:
                status, reply = self.cluster.send_once("POST", self.path, body, NDJSON)
            except (Unavailable, Timeout) as lost:
                self._last_refusal: Exception = lost
                return
            if status in RETRY_STATUSES:
                self._record_refusal(build_error(status, reply, f"bulk write on {self.cluster.name}"))
                return
            self.cluster.check_response(status, reply, "bulk write")
            yield from self._decode_results(chunk, reply)

    def _decode_results(
        self, chunk: Sequence[int], reply: Mapping[str, Any]
    ) -> Iterator[tuple[int, ActionResult]]:
        for place, item in zip(chunk, reply["items"], strict=True):
            (answer,) = item.values()
            if answer["status"] in RETRY_STATUSES:
                self._record_refusal(
                    build_error(answer["status"], answer, f"bulk write on {self.cluster.name}")
                )
            else:
                yield place, ActionResult(answer["status"], *parse_error(answer), answer.get("_seq_no", -1))

    def _record_refusal(self, refusal: Exception) -> None:
        self.throttled += 1
        self._last_refusal = refusal

    def _back_off(self, pause: float, accepted_at: float) -> None:
        """Waits, with jitter so that several loaders do not come back together, and asks for less."""
        left = accepted_at + self.max_stall_s - time.monotonic()
        if left <= 0:
            raise self._last_refusal
        if isinstance(self._last_refusal, Throttled | Unavailable):
            self.chunk_bytes = max(self.chunk_bytes // 2, MIN_CHUNK_BYTES)
        self.sleep(min(pause * random.uniform(0.5, 1.0), left))


def _split_chunks(positions: Sequence[int], payloads: Sequence[bytes], max_bytes: int) -> Iterator[list[int]]:
    """Places in order, as many at a time as fit into `most_bytes`; one that is larger goes alone."""
    chunk, size = list[int](), 0
    for place in positions:
        if chunk and size + len(payloads[place]) > max_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(place)
        size += len(payloads[place])
    if chunk:
        yield chunk
