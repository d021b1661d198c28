"""Validation of an untrusted Arrow IPC stream before any of its buffers is read or decompressed.

pyarrow verifies the framing and the metadata of messages, but trusts the lengths in the metadata: reading
the arrays would then read past the end of the body. This module checks the lengths, which it reads from
the metadata as specified in Arrow's format/Message.fbs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from reelrank.ranking.wire.flat_table import FlatTable

FLOAT_BYTES = 4
BUFFERS_PER_COLUMN = 2
"""A float32 column has two buffers: the validity bits, then the values."""
SIZE_PREFIX_BYTES = 8
"""A compressed buffer starts with its decompressed size, or -1 if its content is not compressed."""
PADDING = 64
"""Arrow pads buffers to a multiple of 8 or 64 bytes."""


class TooLarge(ValueError):
    """The stream has more rows, columns or bytes than allowed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest stream that is read. size: bytes of all columns after decompression."""

    rows: int
    columns: int = 1_000
    size: int = 64_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """The metadata of one record batch, and the body that it describes."""

    rows: int
    columns: list[tuple[int, int]]
    """Length and null count of each column."""
    buffers: list[tuple[int, int]]
    """Offset and length of each buffer in the body."""
    compressed: bool
    body: memoryview


def check_stream(body: bytes, limits: Limits) -> pa.Schema:
    """Returns the schema of a stream after checking that all columns are float32 and all buffers in the body.

    Raises TooLarge, ValueError, or an exception of pyarrow.
    """
    messages = _read_messages(body)
    first = next(messages, None)
    if first is None or first.type != "schema":
        raise ValueError("the body is not an Arrow IPC stream: it does not start with a schema")
    schema = pa.ipc.read_schema(first)
    _check_schema(schema, limits)
    rows = size = 0
    for message in messages:
        if message.type != "record batch":
            raise ValueError(
                f"the stream has a message of type {message.type}; send a schema and record batches"
            )
        batch = _parse_batch(message)
        rows += batch.rows
        if rows > limits.rows:
            raise TooLarge(f"the stream has {rows} rows; send at most {limits.rows} at once")
        size += _check_batch(batch, schema.names)
        if size > limits.size:
            raise TooLarge(f"the stream has {size} bytes decompressed; send at most {limits.size} at once")
    return schema


def _read_messages(body: bytes) -> Iterator[pa.ipc.Message]:
    reader = pa.ipc.MessageReader.open_stream(body)
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _check_schema(schema: pa.Schema, limits: Limits) -> None:
    if len(schema) > limits.columns:
        raise TooLarge(f"the stream has {len(schema)} columns; send at most {limits.columns}")
    for field in schema:
        if field.type != pa.float32():
            raise ValueError(
                f"column {field.name} is {str(field.type)[:100]}; send float32, with NaN for missing values"
            )


def _parse_batch(message: pa.ipc.Message) -> Batch:
    header = FlatTable.from_bytes(message.metadata).read_table(2)
    body = memoryview(message.body or b"").cast("B")
    return Batch(header.read_int64(0), header.read_pairs(1), header.read_pairs(2), header.has(3), body)


def _check_batch(batch: Batch, names: list[str]) -> int:
    """Returns the decompressed bytes of a batch. Raises ValueError if its buffers do not fit its columns."""
    if batch.rows < 0:
        raise ValueError(f"a record batch claims {batch.rows} rows")
    if len(batch.columns) != len(names) or len(batch.buffers) != BUFFERS_PER_COLUMN * len(names):
        raise ValueError(
            f"a record batch has {len(batch.columns)} columns in {len(batch.buffers)} buffers, "
            f"but its schema has {len(names)} in {BUFFERS_PER_COLUMN * len(names)}"
        )
    return sum(_check_column(batch, index, f"column {name[:100]}") for index, name in enumerate(names))


def _check_column(batch: Batch, index: int, column: str) -> int:
    """Returns the decompressed bytes of a column. Raises ValueError when its buffers do not fit its rows."""
    length, nulls = batch.columns[index]
    if length != batch.rows:
        raise ValueError(f"{column} has {length} rows, but its record batch has {batch.rows}")
    if nulls:
        raise ValueError(f"{column} has nulls; send NaN for missing values")
    first = BUFFERS_PER_COLUMN * index
    bits, values = (_measure_buffer(batch, buffer, column) for buffer in (first, first + 1))
    for content, size, needed in (
        ("validity bits", bits, (length + 7) // 8 if bits else 0),
        ("values", values, length * FLOAT_BYTES),
    ):
        if size < needed:
            raise ValueError(
                f"{column} claims {length} rows but has {size} bytes of {content} instead of {needed}"
            )
        if batch.compressed and size > needed + PADDING:
            raise ValueError(f"{column} decompresses to {size} bytes of {content} for {length} rows")
    return bits + values


def _measure_buffer(batch: Batch, buffer: int, column: str) -> int:
    """Returns the decompressed bytes of a buffer, from its size prefix. Raises ValueError."""
    offset, length = batch.buffers[buffer]
    if offset < 0 or length < 0 or offset + length > len(batch.body):
        raise ValueError(
            f"{column} has a buffer of {length} bytes at {offset}, outside of a body of {len(batch.body)}"
        )
    if not batch.compressed or not length:
        return length
    if length < SIZE_PREFIX_BYTES:
        raise ValueError(f"{column} has a compressed buffer of {length} bytes, too short for its size prefix")
    claimed = int.from_bytes(batch.body[offset : offset + SIZE_PREFIX_BYTES], "little", signed=True)
    if claimed < -1:
        raise ValueError(f"{column} has a compressed buffer that claims a size of {claimed} bytes")
    return length - SIZE_PREFIX_BYTES if claimed == -1 else claimed
