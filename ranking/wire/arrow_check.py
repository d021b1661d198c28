"""Checks of a foreign Arrow IPC stream before any of its buffers is read or decompressed.

pyarrow verifies the framing and the metadata of a message, but takes the lengths that the metadata
states as given: a reader of the arrays would follow them past the end of the body. The lengths are
read here from the metadata, as laid down in Arrow's format/Message.fbs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from reelrank.ranking.wire.flat_table import FlatTable

ONE_FLOAT = 4
PER_COLUMN = 2
"""Buffers of a float32 column: the validity bits, then the values."""
STATED_SIZE = 8
"""A compressed buffer begins with its decompressed size, or -1 where it is not compressed after all."""
PADDING = 64
"""Arrow pads a buffer to at most a multiple of so many bytes."""


class TooLarge(ValueError):
    """More rows, columns or bytes than a limit allows."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest stream that is read. size: of all its columns, decompressed, in bytes."""

    rows: int
    columns: int = 1_000
    size: int = 64_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """One record batch as its metadata states it, and the body that it describes."""

    rows: int
    columns: list[tuple[int, int]]
    """Length and null count of each column."""
    buffers: list[tuple[int, int]]
    """Offset and length of each buffer in the body."""
    compressed: bool
    body: memoryview


def check_stream(body: bytes, limits: Limits) -> pa.Schema:
    """The schema of a stream whose columns are all float32 and whose every buffer lies in the body.

    Raises TooLarge, ValueError, or an exception of pyarrow.
    """
    messages = _messages(body)
    first = next(messages, None)
    if first is None or first.type != "schema":
        raise ValueError("it is no Arrow IPC stream (it does not begin with a schema)")
    schema = pa.ipc.read_schema(first)
    _check_schema(schema, limits)
    rows = size = 0
    for message in messages:
        if message.type != "record batch":
            raise ValueError(f"it holds a message of type {message.type}; send a schema and record batches")
        batch = _batch(message)
        rows += batch.rows
        if rows > limits.rows:
            raise TooLarge(f"it has {rows} rows; send at most {limits.rows} at once")
        size += _check_batch(batch, schema.names)
        if size > limits.size:
            raise TooLarge(f"it holds {size} bytes decompressed; send at most {limits.size} at once")
    return schema


def _messages(body: bytes) -> Iterator[pa.ipc.Message]:
    reader = pa.ipc.MessageReader.open_stream(body)
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _check_schema(schema: pa.Schema, limits: Limits) -> None:
    if len(schema) > limits.columns:
        raise TooLarge(f"it has {len(schema)} columns; send at most {limits.columns}")
    for field in schema:
        if field.type != pa.float32():
            raise ValueError(
                f"column {field.name} is {str(field.type)[:100]}; send float32, NaN where a value is missing"
            )


def _batch(message: pa.ipc.Message) -> Batch:
    header = FlatTable.root(message.metadata).table(2)
    body = memoryview(message.body or b"").cast("B")
    return Batch(header.int64(0), header.pairs(1), header.pairs(2), header.has(3), body)


def _check_batch(batch: Batch, names: list[str]) -> int:
    """Decompressed bytes of a batch. Raises ValueError when its buffers are not those of its columns."""
    if batch.rows < 0:
        raise ValueError(f"a record batch states {batch.rows} rows")
    if len(batch.columns) != len(names) or len(batch.buffers) != PER_COLUMN * len(names):
        raise ValueError(
            f"a record batch has {len(batch.columns)} columns in {len(batch.buffers)} buffers, "
            f"its schema {len(names)} in {PER_COLUMN * len(names)}"
        )
    return sum(_check_column(batch, place, f"column {name[:100]}") for place, name in enumerate(names))


def _check_column(batch: Batch, place: int, column: str) -> int:
    length, nulls = batch.columns[place]
    if length != batch.rows:
        raise ValueError(f"{column} has {length} rows, its record batch {batch.rows}")
    if nulls:
        raise ValueError(f"{column} holds nulls; send NaN where a value is missing")
    first = PER_COLUMN * place
    bits, values = (_size(batch, which, column) for which in (first, first + 1))
    for what, size, needed in (
        ("validity bits", bits, (length + 7) // 8 if bits else 0),
        ("values", values, length * ONE_FLOAT),
    ):
        if size < needed:
            raise ValueError(f"{column} states {length} rows but holds {size} bytes of {what}, not {needed}")
        if batch.compressed and size > needed + PADDING:
            raise ValueError(f"{column} decompresses to {size} bytes of {what} for {length} rows")
    return bits + values


def _size(batch: Batch, which: int, column: str) -> int:
    """Bytes of a buffer, decompressed."""
    offset, length = batch.buffers[which]
    if offset < 0 or length < 0 or offset + length > len(batch.body):
        raise ValueError(
            f"{column} has a buffer of {length} bytes at {offset}, outside of a body of {len(batch.body)}"
        )
    if not batch.compressed or not length:
        return length
    if length < STATED_SIZE:
        raise ValueError(f"{column} has a compressed buffer of {length} bytes")
    stated = int.from_bytes(batch.body[offset : offset + STATED_SIZE], "little", signed=True)
    if stated < -1:
        raise ValueError(f"{column} has a compressed buffer that states {stated} bytes")
    return length - STATED_SIZE if stated == -1 else stated
