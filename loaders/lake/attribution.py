"""Attribution of one span of pages by DuckDB: the lake's tables in, one row for each shown item out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from reelrank.ranking.labels.attribution import ATTRIBUTION_SCHEMA, AttributionRules, AttributionSpan
from reelrank.ranking.labels.attribution_sql import build_attribution_sql

BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class AttributionInputs:
    """The tables of the lake that attribution reads, with at least the columns that `attribution.py` names.

    They must hold the pages from the span's begin to its end and the look-ahead, and the events from the
    look-back before the span to the look-ahead after it; other rows are ignored.
    """

    requests: pa.Table | ds.Dataset
    candidates: pa.Table | ds.Dataset
    events: pa.Table | ds.Dataset


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may use: threads, memory in MB, and the directory for what does not fit (None: none)."""

    threads: int = 2
    memory_mb: int = 1024
    spill_dir: Path | None = None


@contextmanager
def attribute(
    inputs: AttributionInputs,
    span: AttributionSpan,
    rules: AttributionRules,
    limits: QueryLimits = QueryLimits(),
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Opens the batches of the result: ATTRIBUTION_SCHEMA, in the order of (request_id, position, item)."""
    with _connect(limits) as connection:
        for name in ("requests", "candidates", "events"):
            connection.register(name, getattr(inputs, name))
        reader = connection.sql(build_attribution_sql(span, rules)).to_arrow_reader(BATCH_ROWS)
        yield (batch.cast(ATTRIBUTION_SCHEMA) for batch in reader)


def attribute_whole(
    inputs: AttributionInputs, span: AttributionSpan, rules: AttributionRules | None = None
) -> pa.Table:
    """Returns the whole result as one table; for spans that fit in memory."""
    with attribute(inputs, span, rules or AttributionRules()) as batches:
        return pa.Table.from_batches(batches, ATTRIBUTION_SCHEMA)


@contextmanager
def _connect(limits: QueryLimits) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": limits.threads,
        "memory_limit": f"{limits.memory_mb}MB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if limits.spill_dir is not None:
        config["temp_directory"] = str(limits.spill_dir)
    connection = duckdb.connect(":memory:", config=config)
    try:
        yield connection
    finally:
        connection.close()
