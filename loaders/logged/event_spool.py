"""The events that attribution of one date needs, in a temporary file: read once, used by all of its parts."""

from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from reelrank.index_mappings.decision import EVENTS, LAKE_EVENT_SCHEMA
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.labels.attribution import EVENT_COLUMNS, AttributionRules

ROWS_PER_GROUP = 50_000
"""Readers skip groups by their times: an hour of events is a few of them."""


def spool_events(lake: Lake, day: date, rules: AttributionRules, directory: Path) -> ds.Dataset:
    """Copies the events of the rules' kinds that may concern pages of a date, sorted by time."""
    begin = datetime.combine(day, time_of_day(), UTC)
    from_ = begin - timedelta(milliseconds=rules.look_back_ms)
    to = begin + timedelta(days=1, milliseconds=rules.look_ahead_ms)
    kinds = pa.array(sorted(rules.windows_ms))
    schema = pa.schema([LAKE_EVENT_SCHEMA.field(name) for name in EVENT_COLUMNS])
    path = directory / f"events-{day}.parquet"
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for batch in lake.scan(EVENTS, from_, to, EVENT_COLUMNS):
            wanted = batch.filter(pc.is_in(batch["kind"], kinds))
            if wanted.num_rows:
                writer.write_table(pa.Table.from_batches([wanted]).cast(schema), ROWS_PER_GROUP)
    return ds.dataset(path)
