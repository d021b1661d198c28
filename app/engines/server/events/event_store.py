"""The `EventStore` of a cluster: a data stream in which each event is created under its own id."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from reelrank.app.engines.server.events.data_stream_lifecycle import (
    UNLIMITED,
    DataStreamLifecycle,
    RetentionPolicy,
    ensure_stream,
    parse_generation,
)
from reelrank.app.engines.server.events.event_documents import (
    DEFAULTS,
    build_event_batch,
    decode_event,
    decode_item_buckets,
    deduplicate_hits,
    encode_event,
)
from reelrank.app.engines.server.events.events_by_id import (
    find_known_ids,
    read_withdrawal_mark,
    withdraw_events,
    write_withdrawal_mark,
)
from reelrank.app.engines.server.events.positions import Position, format_position, parse_position
from reelrank.app.engines.server.events.viewer_events import (
    build_newest_query,
    build_watched_query,
    delete_of_viewer,
    expunge_deleted,
    scan_viewer,
)
from reelrank.app.engines.server.transport.bulk import MAX_STALL_S, BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import ADMIN_TIMEOUT_S, Cluster, Reply
from reelrank.app.engines.server.transport.paging import read_checkpoint, scan_pages
from reelrank.index_mappings.errors import BadRequest, NotFound, Partial
from reelrank.index_mappings.event import (
    EVENT_KINDS,
    OPINION_KINDS,
    Event,
    EventKind,
)
from reelrank.index_mappings.event_store import (
    AppendReport,
    PastEvent,
    check_erasable,
    select_event_schema,
    select_newest_opinions,
)
from reelrank.index_mappings.mapping import build_events_template

BATCH = 10_000
"""Most events of one response: index.max_result_window of every server."""
PART = 500
"""Events of one write that a caller waits for: on a busy server a bulk request of 1,413 took over 2 s."""
WATCHED_ITEMS = 50_000
"""Most watched items of one response. Servers return at most 65,535 buckets (`search.max_buckets`)."""


class ServerEvents:
    """Acknowledges events when they are durable and visible to searches, so `recent` returns them at once."""

    def __init__(
        self, cluster: Cluster, stream: str, refresh_ms: int, retention: RetentionPolicy = UNLIMITED
    ) -> None:
        self.cluster = cluster
        self.stream = stream
        self.refresh_ms = refresh_ms
        self.lifecycle = DataStreamLifecycle(cluster, stream, retention)
        self._is_created = False

    def append(self, events: Sequence[Event], timeout_s: float | None = None) -> AppendReport:
        """Appends in parts of PART when a caller waits: a slow server answers each of them in time.

        Only the last part waits for the refresh that makes all of them visible.
        """
        with self.cluster.limit_time(timeout_s):
            self._ensure_stream()
        size, stored, last_stored = PART if timeout_s is not None else len(events), 0, 0
        for start in range(0, len(events), size):
            is_last = start + size >= len(events)
            last_stored = self._append_part(events[start : start + size], timeout_s, is_last)
            stored += last_stored
        with self.cluster.limit_time(timeout_s):
            if stored and not last_stored:
                self.cluster.refresh(self.stream)
            self.lifecycle.roll_over_and_expire_when_due()
        return AppendReport(stored, len(events) - stored)

    def flush(self) -> None:
        status, reply = self.cluster.request("POST", f"/{self.stream}/_flush")
        if status != 404:
            self.cluster.check_response(status, reply, f"flushing {self.stream}")

    def _append_part(self, events: Sequence[Event], timeout_s: float | None, is_last: bool) -> int:
        """Stores the events that are not stored yet; returns how many those are."""
        with self.cluster.limit_time(timeout_s):
            known = find_known_ids(self.cluster, self.stream, [event.id for event in events])
            fresh = [event for event in events if event.id not in known]
            return self._create(fresh, timeout_s, "&refresh=wait_for" if is_last else "")

    def _create(self, events: Sequence[Event], timeout_s: float | None, params: str) -> int:
        patience_s = MAX_STALL_S if timeout_s is None else timeout_s
        actions = [BulkAction("create", event.id, encode_event(event)) for event in events]
        verdicts = BulkWriter(self.cluster, self.stream, params, patience_s).write(actions)
        for event, verdict in zip(events, verdicts, strict=True):
            if not verdict.succeeded and verdict.status != 409:
                raise BadRequest(
                    f"{self.stream} rejected event {event.id}: {verdict.reason}", code="event_rejected"
                )
        return sum(verdict.succeeded for verdict in verdicts)

    def recent(
        self, user_id: str, limit: int, timeout_s: float, kinds: Sequence[EventKind] = EVENT_KINDS
    ) -> list[Event]:
        body = build_newest_query(user_id, min(limit, BATCH), tuple(kinds))
        return [decode_event(hit["_source"]) for hit in self._search_newest(body, timeout_s)]

    def past(self, user_id: str, limit: int, timeout_s: float, kinds: Sequence[EventKind]) -> list[PastEvent]:
        body = {**build_newest_query(user_id, min(limit, BATCH), tuple(kinds)), "_source": PastEvent._fields}
        sources = [hit["_source"] for hit in self._search_newest(body, timeout_s)]
        return [
            PastEvent(*(source.get(name, DEFAULTS[name]) for name in PastEvent._fields)) for source in sources
        ]

    def _search_newest(self, body: Mapping[str, Any], timeout_s: float) -> list[Reply]:
        try:
            return deduplicate_hits(self.cluster.search(self.stream, body, timeout_s))
        except NotFound:
            return []

    def watched_items(self, user: str, timeout_s: float) -> frozenset[str]:
        """Raises Partial with WATCHED_ITEMS of the items when there are more."""
        body = build_watched_query(user, WATCHED_ITEMS)
        try:
            items, unlisted = decode_item_buckets(self.cluster.search_response(self.stream, body, timeout_s))
        except NotFound:
            return frozenset()
        except Partial as partial:
            raise Partial(str(partial), decode_item_buckets(partial.partial_result)[0]) from partial
        if unlisted:
            raise Partial(f"{self.stream} has more than {len(items)} watched items of this viewer", items)
        return items

    def opinions(self, user: str, timeout_s: float) -> dict[str, EventKind]:
        """Returns the newest opinion on each item, of the newest BATCH opinions."""
        return select_newest_opinions(self.past(user, BATCH, timeout_s, OPINION_KINDS))

    def scan(
        self,
        from_ms: int,
        to_ms: int,
        kinds: Sequence[EventKind] | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        schema = select_event_schema(columns)
        conditions: list[dict[str, Any]] = [{"range": {"at_ms": {"gte": from_ms, "lt": to_ms}}}]
        if kinds is not None:
            conditions.append({"terms": {"kind": list(kinds)}})
        body = {"query": {"bool": {"filter": conditions}}, "_source": schema.names}
        try:
            for hits in scan_pages(self.cluster, self.stream, body, ["at_ms", "id"], BATCH):
                yield build_event_batch(deduplicate_hits(hits), schema)
        except NotFound:
            return

    def follow(self, position: str | None) -> tuple[pa.RecordBatch, str]:
        """Reads new events; the position is the sequence number that was read in each backing index."""
        position_by_generation = parse_position(position)
        try:
            reached = read_checkpoint(self.cluster, self.stream)
        except NotFound:
            return build_event_batch([]), format_position(position_by_generation)
        existing = {parse_generation(index) for index in reached}
        position_by_generation = {
            generation: number
            for generation, number in position_by_generation.items()
            if generation in existing
        }
        self.cluster.refresh(self.stream)
        hits = list[Reply]()
        for index in sorted(reached, key=parse_generation):
            if len(hits) < BATCH:
                hits += self._read_after(position_by_generation, index, reached[index], BATCH - len(hits))
        return build_event_batch(deduplicate_hits(hits)), format_position(position_by_generation)

    def withdraw(self, ids: Sequence[str]) -> int:
        withdrawn = withdraw_events(self.cluster, self.stream, ids)
        if withdrawn:
            write_withdrawal_mark(self.cluster, self.stream)
        return withdrawn

    def scan_user(self, user: str) -> Iterator[pa.RecordBatch]:
        for hits in scan_viewer(self.cluster, self.stream, user, BATCH):
            yield build_event_batch(deduplicate_hits(hits))

    def erase_user(self, user: str) -> int:
        check_erasable(user)
        erased = delete_of_viewer(self.cluster, self.stream, (user,))
        if erased:
            write_withdrawal_mark(self.cluster, self.stream)
        return erased

    def purge(self, user: str) -> None:
        expunge_deleted(self.cluster, self.stream)

    def withdrawal_mark(self) -> str:
        return read_withdrawal_mark(self.cluster, self.stream)

    def count(self) -> int:
        """Counts stored events. An event that two writers sent during a rollover may be stored twice.

        It counts twice here; `recent`, `scan` and `follow` return it once in a response.
        """
        status, reply = self.cluster.request("GET", f"/{self.stream}/_count")
        if status == 404:
            return 0
        return int(self.cluster.check_response(status, reply, "counting events")["count"])

    def _read_after(self, position: Position, index: str, reached: int, limit: int) -> list[Reply]:
        """Returns events of one backing index after the position, and advances the position."""
        number = parse_generation(index)
        start = position.get(number, -1)
        if reached <= start:
            return []
        body = {
            "query": {"range": {"_seq_no": {"gt": start, "lte": reached}}},
            "sort": ["_seq_no"],
            "size": limit,
            "track_total_hits": False,
        }
        hits = self.cluster.search(index, body, ADMIN_TIMEOUT_S)
        position[number] = hits[-1]["sort"][0] if len(hits) == limit else reached
        return hits

    def _ensure_stream(self) -> None:
        """Creates the template and the data stream, once per process; both may exist already."""
        if self._is_created:
            return
        if ensure_stream(self.cluster, self.stream, build_events_template(self.stream, self.refresh_ms)):
            # This or another process may have created it just now: its shard must be active before a search.
            # A new index turns yellow before that, so waiting for yellow is not enough.
            self.cluster.request_or_raise(
                "GET", f"/_cluster/health/{self.stream}", wait_for_active_shards="1", timeout="30s"
            )
        self._is_created = True
