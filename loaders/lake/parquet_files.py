"""How a file of the lake is encoded: sorted rows, zstd, statistics, and each column as it compresses best."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reelrank.index_mappings.decision import (
    CANDIDATES,
    COLUMNS_BY_TABLE,
    LAKE_VERSION,
    RANK_PREFIX,
    SIGNAL_PREFIX,
    SORT_BY_TABLE,
    build_candidate_schema,
)

ROW_GROUP_ROWS = 131_072
"""Rows of a row group: what a reader of some columns holds of one file. About 20 MB of candidates."""
DISTINCT_SHARE = 0.3
"""A column of numbers with fewer distinct values than this share of its rows is dictionary-encoded, any other
is split by bytes (BYTE_STREAM_SPLIT), which compresses floats better. Measured in docs/benchmarks.md."""
SAMPLE_ROWS = 20_000
SMALL_ROWS, SMALL_LEVEL, LEVEL = 1_000, 3, 6
"""A table with fewer rows is encoded in half the time: no dictionaries, and a lower level of zstd. A loaded
history makes thousands of such files, and compaction encodes their rows again."""
MERGE_ORDER: Mapping[str, tuple[str, ...]] = {
    **SORT_BY_TABLE,
    CANDIDATES: (*SORT_BY_TABLE[CANDIDATES], "shown"),
}
"""The order in which equal rows meet: the last of them is shown if any is."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """Columns by how they are encoded; the others are plain or delta-encoded by type. level: of zstd."""

    dictionary: tuple[str, ...]
    byte_split: tuple[str, ...]
    level: int = LEVEL


def conform(table: pa.Table, name: str) -> pa.Table:
    """Returns the rows with the schema of a table of the lake.

    Missing columns are null, or empty where they may not be null. Columns of candidates that are neither
    fixed, nor a rank, nor a signal are dropped, and so is anything else that the schema lacks.
    """
    schema = _find_schema(table.schema, name)
    columns = [_convert(table, field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def sort_rows(table: pa.Table, name: str) -> pa.Table:
    """Returns the rows in the order of a file, each once."""
    rows = table.sort_by([(column, "ascending") for column in MERGE_ORDER[name]]).combine_chunks()
    return pa.Table.from_batches(drop_repeated(rows.to_batches(), SORT_BY_TABLE[name]), rows.schema)


def choose_encoding(table: pa.Table) -> Encoding:
    """Chooses the encoding of each column by how many distinct values its first rows have."""
    sample = table.slice(0, SAMPLE_ROWS)
    dictionary, byte_split = list[str](), list[str]()
    for field in sample.schema:
        column = sample[field.name]
        if pa.types.is_boolean(field.type):
            continue
        leaf = f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
        flat = pc.list_flatten(column) if pa.types.is_list(field.type) else column
        few = pc.count_distinct(flat).as_py() <= DISTINCT_SHARE * max(len(flat) - flat.null_count, 1)
        if few or not pa.types.is_floating(field.type):
            dictionary.append(leaf)
        else:
            byte_split.append(leaf)
    return Encoding(tuple(dictionary), tuple(byte_split))


def open_writer(path: Path, schema: pa.Schema, encoding: Encoding, fingerprint: str = "") -> Any:
    """Opens a ParquetWriter. fingerprint: of the features, for the metadata."""
    metadata = {"schema_version": str(LAKE_VERSION), "feature_fingerprint": fingerprint}
    writer = pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=encoding.level,
        use_dictionary=list(encoding.dictionary),
        use_byte_stream_split=list(encoding.byte_split),
        dictionary_pagesize_limit=4 * 2**20,
        data_page_version="2.0",
        write_statistics=True,
        store_schema=False,
    )
    writer.add_key_value_metadata(metadata)
    return writer


def write_table(path: Path, table: pa.Table, name: str, fingerprint: str = "") -> None:
    """Writes sorted rows into one local file."""
    rows = sort_rows(conform(table, name), name)
    encoding = Encoding((), (), SMALL_LEVEL) if len(rows) < SMALL_ROWS else choose_encoding(rows)
    with open_writer(path, rows.schema, encoding, fingerprint) as writer:
        writer.write_table(rows, ROW_GROUP_ROWS)


def merge_schemas(schemas: Sequence[pa.Schema], name: str) -> pa.Schema:
    """Returns the schema of a table with the ranks and signals of all these files."""
    return _find_schema(pa.unify_schemas([pa.schema(list(s)) for s in schemas]), name)


def _find_schema(given: pa.Schema, table: str) -> pa.Schema:
    fixed = pa.schema([column.to_field() for column in COLUMNS_BY_TABLE[table]])
    if table != CANDIDATES:
        return fixed
    added = [column for column in given.names if column not in fixed.names]
    ranks = [name.removeprefix(RANK_PREFIX) for name in added if name.startswith(RANK_PREFIX)]
    signals = [name.removeprefix(SIGNAL_PREFIX) for name in added if name.startswith(SIGNAL_PREFIX)]
    return build_candidate_schema(ranks, signals)


def _convert(table: pa.Table, field: pa.Field) -> pa.ChunkedArray:
    if field.name not in table.schema.names:
        if field.nullable:
            return pa.chunked_array([pa.nulls(len(table), field.type)])
        return pa.chunked_array([_repeat_empty(field.type, len(table))])
    column = table[field.name].cast(field.type)
    if pa.types.is_floating(field.type) and field.nullable:
        return pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
    return column


def _repeat_empty(arrow_type: pa.DataType, n: int) -> pa.Array:
    if pa.types.is_list(arrow_type):
        return pa.ListArray.from_arrays(np.zeros(n + 1, np.int32), pa.array([], arrow_type.value_type))
    empty: object = "" if pa.types.is_string(arrow_type) else False if pa.types.is_boolean(arrow_type) else 0
    return pa.repeat(pa.scalar(empty, arrow_type), n)


def drop_repeated(batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yields the first of equal rows of a sorted stream; `shown` is that of the last: true if any is.

    The last run of equal rows waits for the next batch, which may continue it.
    """
    waiting: pa.RecordBatch | None = None
    for batch in batches:
        joined = batch if waiting is None else _concatenate([waiting, batch])
        if not joined.num_rows:
            continue
        starts = np.flatnonzero(_begins_run(joined, keys))
        last = int(starts[-1])
        if last:
            yield _take_first(joined.slice(0, last), starts[:-1])
        waiting = joined.slice(last)
    if waiting is not None and waiting.num_rows:
        yield _take_first(waiting, np.zeros(1, np.int64))


def _take_first(batch: pa.RecordBatch, starts: NDArray[np.int64]) -> pa.RecordBatch:
    if len(starts) == batch.num_rows:
        return batch
    first = batch.take(pa.array(starts))
    if "shown" not in batch.schema.names:
        return first
    ends = np.append(starts[1:], batch.num_rows) - 1
    index = batch.schema.get_field_index("shown")
    return first.set_column(index, batch.schema.field(index), batch.column(index).take(pa.array(ends)))


def _begins_run(batch: pa.RecordBatch, keys: Sequence[str]) -> NDArray[np.bool_]:
    begins = np.zeros(batch.num_rows, bool)
    begins[0] = True
    for key in keys:
        column = batch.column(batch.schema.get_field_index(key))
        differs = pc.not_equal(column.slice(1), column.slice(0, len(column) - 1))
        begins[1:] |= differs.to_numpy(zero_copy_only=False)
    return begins


def _concatenate(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    table = pa.Table.from_batches(batches).combine_chunks()
    return table.to_batches()[0] if len(table) else batches[0]
