"""Reads logged requests from the lake that can be ranked again, and the candidates that they showed."""

import zlib
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reelrank.index_mappings.decision import CANDIDATES, REQUEST_SCHEMA, REQUESTS
from reelrank.index_mappings.query import Context, Filters, Query
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.arrow_columns import to_array

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHOSEN_BY = ("request_id", "version", "config_id", "feature_fingerprint", "sources_late", "degraded")
STATE = frozenset({"viewer", "watched", "opinions", "index"})
"""What a degraded page may lack that its signals depend on; they do not depend on a model."""


@dataclass(frozen=True, slots=True)
class ServedBy:
    """What ranks again: requests that something else ranked are left out. None: of any."""

    version: str
    config_id: str | None = None
    feature_fingerprint: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LoggedRequests:
    """rows: REQUEST_SCHEMA, in the order of time. left_out: how many of the span are not in it, by reason."""

    rows: pa.Table
    left_out: Mapping[str, int]

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Returns the time of the first request and one just after the last."""
        at_ms = to_array(self.rows["at_ms"], np.int64)
        return to_time(int(at_ms.min())), to_time(int(at_ms.max()) + 1)


def select_requests(
    lake: Lake,
    span: tuple[datetime, datetime],
    served_by: ServedBy,
    most: int,
    among: Container[str] | None = None,
) -> LoggedRequests:
    """Selects at most `most` requests of a span, a uniform sample by the hash of their ids.

    among: ids of those that may be selected; None for all.
    """
    left_out, chosen = Counter[str](), list[tuple[int, str]]()
    for batch in lake.scan(REQUESTS, *span, CHOSEN_BY):
        for row in batch.to_pylist():
            if among is not None and row["request_id"] not in among:
                continue
            if reason := _explain_left_out(row, served_by):
                left_out[reason] += 1
            else:
                chosen.append((zlib.crc32(row["request_id"].encode()), row["request_id"]))
    ids = pa.array([name for _, name in sorted(chosen)[:most]], pa.string())
    batches = (
        batch.filter(pc.is_in(batch["request_id"], ids))
        for batch in lake.scan(REQUESTS, *span, REQUEST_SCHEMA.names)
    )
    rows = pa.Table.from_batches(batches, REQUEST_SCHEMA)
    return LoggedRequests(rows.sort_by([("at_ms", "ascending"), ("request_id", "ascending")]), left_out)


def read_shown(lake: Lake, requests: LoggedRequests, columns: Sequence[str]) -> dict[str, pa.Table]:
    """Returns the shown candidates of each request, by its id, with these columns."""
    ids, names = requests.rows["request_id"], ("request_id", "shown", *columns)
    batches = [
        batch.filter(pc.and_(pc.is_in(batch["request_id"], ids), batch["shown"]))
        for batch in lake.scan(CANDIDATES, *requests.span, names)
    ]
    if not batches:
        return {}
    table = pa.Table.from_batches(batches).sort_by("request_id")
    found = table["request_id"].combine_chunks().dictionary_encode()
    begins = np.searchsorted(to_array(found.indices, np.int64), np.arange(len(found.dictionary) + 1))
    return {
        name: table.slice(begin, end - begin)
        for name, begin, end in zip(found.dictionary.to_pylist(), begins[:-1], begins[1:], strict=True)
    }


def to_time(ms: int) -> datetime:
    """Returns the time of milliseconds since 1970, UTC."""
    return EPOCH + timedelta(milliseconds=ms)


def build_query(row: Mapping[str, Any]) -> Query:
    """Builds the query of a request's row. The viewer is known by the key."""
    stated = orjson.loads(row["filters"]) if row["filters"] else {}
    filters: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stated.items()
    }
    return Query(
        text=row["text"] or None,
        user=row["user_key"] or None,
        similar_to=row["similar_to"] or None,
        filters=Filters(**filters),
        limit=row["limit"],
        context=Context(to_time(row["at_ms"]), row["country"], row["device"]),
        sort=row["sort"],
        exclude=tuple(row["exclude"]),
    )


def _explain_left_out(row: Mapping[str, Any], served_by: ServedBy) -> str:
    if row["version"] != served_by.version:
        return "of another index version"
    if served_by.config_id not in (None, row["config_id"]):
        return "with another ranking config"
    if served_by.feature_fingerprint not in (None, row["feature_fingerprint"]):
        return "of a build with other features"
    lacked = STATE.intersection(text.partition(":")[0] for text in row["degraded"])
    return "that lacked a source or the viewer" if row["sources_late"] or lacked else ""
