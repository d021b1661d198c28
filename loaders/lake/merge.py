"""Merges files of one table into one sorted stream in which each row is there once, in bounded memory.

A row can be in two files: a later part of a list shows items whose group was written before, a writer that
failed half way writes again, and a cluster can store an event twice. The first row stays; it is shown if any
of them is.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelrank.index_mappings.decision import SORT_BY_TABLE
from reelrank.index_mappings.errors import Unavailable
from reelrank.loaders.lake.parquet_files import MERGE_ORDER, drop_repeated, merge_schemas
from reelrank.loaders.lake.storage import LakeStorage, StoredFile

BATCH_ROWS = 65_536
IN_MEMORY_VALUES = 16_000_000
"""Rows times columns that are sorted in memory, about 64 MB of numbers, which is faster than in DuckDB."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may use: threads, memory in MB, and where it may spill (None: nowhere)."""

    threads: int = 2
    memory_mb: int = 1024
    spill_dir: Path | None = None


class OpenFiles:
    """Files of one table that are open: on a local disk they stay readable when compaction deletes them."""

    def __init__(self, handles: Sequence[Any], table: str) -> None:
        self.files = [pq.ParquetFile(handle) for handle in handles]
        self.table = table
        self.schema = merge_schemas([file.schema_arrow for file in self.files], table)
        self._handles = handles

    def chain(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yields the rows of one file after another, for files that have no row in common."""
        schema = self._select_schema(columns)
        for file in self.files:
            for batch in file.iter_batches(BATCH_ROWS, columns=_select(file, columns)):
                yield _complete(batch, schema)

    def merge(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yields sorted rows, each once."""
        if len(self.files) == 1:
            yield from self.chain(columns)
            return
        schema = self._select_schema(columns)
        read = list(dict.fromkeys([*columns, *MERGE_ORDER[self.table]]))
        for batch in drop_repeated(self._sort(read), SORT_BY_TABLE[self.table]):
            yield batch.select(list(columns)).cast(schema)

    def _select_schema(self, columns: Sequence[str]) -> pa.Schema:
        return pa.schema([self.schema.field(name) for name in columns])

    def _sort(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if sum(file.metadata.num_rows for file in self.files) * len(columns) <= IN_MEMORY_VALUES:
            order = [(name, "ascending") for name in MERGE_ORDER[self.table]]
            found = pa.Table.from_batches(self.chain(columns), self._select_schema(columns))
            yield from found.combine_chunks().sort_by(order).to_batches(BATCH_ROWS)
            return
        import pyarrow.dataset as ds  # takes a while to import, which a service that starts need not wait for

        schema = self._select_schema(columns)
        parquet = ds.ParquetFileFormat()
        fragments = [parquet.make_fragment(handle) for handle in self._handles]
        rows = ds.FileSystemDataset(fragments, schema=schema, format=parquet)
        names = ", ".join(f'"{name}"' for name in columns)
        with _connect_with_spill() as connection:
            connection.register("lake_rows", rows)
            query = f"select {names} from lake_rows order by {', '.join(MERGE_ORDER[self.table])}"
            for batch in connection.sql(query).to_arrow_reader(BATCH_ROWS):
                yield batch.cast(schema)


def cut_batches(
    batches: Iterable[pa.RecordBatch], rows: int, together: str | None = None
) -> Iterator[pa.Table]:
    """Yields tables of about `rows` rows.

    together: a column by which the batches are sorted; rows with one value of it stay in one table, which
    then has as many rows as they are.
    """
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(part.num_rows for part in waiting) >= rows:
            table = pa.Table.from_batches(waiting).combine_chunks()
            end = len(table) if together is None else pc.index(table[together], table[together][-1]).as_py()
            if end:
                yield table.slice(0, end)
                waiting = table.slice(end).to_batches()
    if rest := [part for part in waiting if part.num_rows]:
        yield pa.Table.from_batches(rest)


@contextmanager
def open_files(storage: LakeStorage, files: Iterable[StoredFile], table: str) -> Iterator[OpenFiles]:
    """Opens files until the block ends.

    Raises FileNotFoundError when one is gone, and Unavailable when one is damaged.
    """
    with _report_damage(storage, table), ExitStack() as stack:
        yield OpenFiles([stack.enter_context(storage.open_file(file.path)) for file in files], table)


@contextmanager
def _report_damage(storage: LakeStorage, table: str) -> Iterator[None]:
    """Raises Unavailable for what damaged bytes lead to; failures of the system have a number and pass."""
    try:
        yield
    except (pa.ArrowException, duckdb.Error, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        damaged = Unavailable(
            f"a file of {table} in the lake at {storage.url} is damaged; run: reelrank lake check",
            code="lake_damaged",
        )
        damaged.cause = str(error)[:300]
        raise damaged from error


def _select(file: Any, columns: Sequence[str]) -> list[str]:
    return [name for name in columns if name in file.schema_arrow.names]


def _complete(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Adds null columns that this file lacks."""
    columns = [
        batch.column(batch.schema.get_field_index(field.name)).cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


@contextmanager
def _connect_with_spill() -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens DuckDB for a sort; beyond the default memory it writes to a temporary directory."""
    with (
        tempfile.TemporaryDirectory(prefix="reelrank-lake-") as spill,
        connect_duckdb(QueryLimits(spill_dir=Path(spill))) as connection,
    ):
        yield connection


@contextmanager
def connect_duckdb(limits: QueryLimits) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens DuckDB in memory within these limits, without extensions, and closes it when the block ends."""
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
