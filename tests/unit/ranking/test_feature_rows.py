"""Untrusted Arrow streams are valid and within the limits, or refused before a buffer is read."""

import random
import struct
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from reelrank.ranking.wire.arrow_check import Limits, TooLarge
from reelrank.ranking.wire.feature_rows import from_bytes, to_bytes

NAMES = tuple(f"f{number}" for number in range(7))
LIMITS = Limits(rows=20_000, columns=50, size=4_000_000)
MARK = 1237
"""An unusual number of rows, which `replace_lengths` can find in the metadata."""
MUTATIONS = 300


def build_rows(n: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(n).normal(size=(n, len(NAMES))).astype(np.float32)
    rows[::5, 2] = np.nan
    return rows


def encode(table: pa.Table, compression: str | None = None, batch_rows: int | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table, max_chunksize=batch_rows)
    return bytes(sink.getvalue())


def build_table(n: int) -> pa.Table:
    return pa.table(dict(zip(NAMES, build_rows(n).T, strict=True)))


def encode_columns(**others: pa.Array) -> bytes:
    """Encodes three rows, with some columns replaced or added."""
    return encode(pa.table({**{name: pa.array([1, 2, 3], pa.float32()) for name in NAMES}, **others}))


def replace_lengths(body: bytes, old: int, new: int, only: int | None = None) -> bytes:
    """Replaces each int64 `old` in the metadata, or only one of them by its index."""
    changed, offset, found = bytearray(body), -1, 0
    end = body.find(build_rows(MARK).T[0].tobytes()[:64])
    while 0 <= (offset := body.find(struct.pack("<q", old), offset + 1)) < end:
        if only is None or only == found:
            changed[offset : offset + 8] = struct.pack("<q", new)
        found += 1
    assert found > (only or 0)
    return bytes(changed)


@pytest.mark.parametrize("n", [0, 1, 8, 12_000])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
@pytest.mark.parametrize("batch_rows", [None, 5])
def test_rows_round_trip_bit_by_bit(n: int, compression: str | None, batch_rows: int | None) -> None:
    body, rows = encode(build_table(n), compression, batch_rows), build_rows(n)
    assert from_bytes(body, NAMES, LIMITS).tobytes() == rows.tobytes()
    assert from_bytes(to_bytes(rows, NAMES), NAMES[::-1], LIMITS).tobytes() == rows[:, ::-1].tobytes()


@pytest.mark.parametrize("claimed", [MARK + 1, 2000, 19_999, -1, -(2**63)])
@pytest.mark.parametrize("only", [None, 0, 1, 5])
def test_row_counts_above_the_buffers_are_refused(claimed: int, only: int | None) -> None:
    with pytest.raises(ValueError, match=r"rows"):
        from_bytes(replace_lengths(to_bytes(build_rows(MARK), NAMES), MARK, claimed, only), NAMES, LIMITS)


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 40, 2**63 - 1, -1, -(2**63)])
@pytest.mark.parametrize("only", [None, 0, 3])
def test_buffer_lengths_outside_the_body_are_refused(claimed: int, only: int | None) -> None:
    with pytest.raises(ValueError, match="outside of a body"):
        from_bytes(replace_lengths(to_bytes(build_rows(MARK), NAMES), 4 * MARK, claimed, only), NAMES, LIMITS)


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 40, 2**63 - 1, -8, -(2**63)])
def test_buffer_offsets_outside_the_body_are_refused(claimed: int) -> None:
    second = 4 * MARK + 4  # padded to a multiple of 8
    with pytest.raises(ValueError, match="outside of a body"):
        from_bytes(replace_lengths(to_bytes(build_rows(MARK), NAMES), second, claimed), NAMES, LIMITS)


def test_buffers_too_short_for_their_column_are_refused() -> None:
    with pytest.raises(ValueError, match="claims 1237 rows but has 400 bytes of values instead of 4948"):
        from_bytes(replace_lengths(to_bytes(build_rows(MARK), NAMES), 4 * MARK, 400), NAMES, LIMITS)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_compressed_bomb_is_too_large(compression: str) -> None:
    body = encode(pa.table({name: np.zeros(1_000_000, np.float32) for name in NAMES}), compression)
    assert len(body) < 200_000
    with pytest.raises(TooLarge, match="1000000 rows; send at most 20000"):
        from_bytes(body, NAMES, LIMITS)
    with pytest.raises(TooLarge, match="28000000 bytes decompressed"):
        from_bytes(body, NAMES, Limits(rows=2_000_000, size=4_000_000))


@pytest.mark.parametrize("claimed", [1 << 24, 1 << 50, 2**63 - 1, -2, 0, 4])
@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_wrong_decompressed_size_is_refused(compression: str, claimed: int) -> None:
    zeros = pa.table({name: np.zeros(5000, np.float32) for name in NAMES})
    body = encode(zeros, compression)
    changed = body.replace(struct.pack("<q", 20_000), struct.pack("<q", claimed))
    assert changed != body
    with pytest.raises(ValueError, match=r"compress|instead of|Arrow"):
        from_bytes(changed, NAMES, LIMITS)


def test_rows_are_counted_over_all_batches() -> None:
    with pytest.raises(TooLarge, match="rows; send at most 100"):
        from_bytes(encode(build_table(101), batch_rows=10), NAMES, Limits(rows=100))


def test_too_many_columns_are_refused() -> None:
    body = encode_columns(**{f"more{number}": pa.array([0, 0, 0], pa.float32()) for number in range(50)})
    with pytest.raises(TooLarge, match="57 columns; send at most 50"):
        from_bytes(body, NAMES, LIMITS)


OTHER_TYPES: dict[str, pa.Array] = {
    "float64": pa.array([1.0, 2.0, 3.0]),
    "float16": pa.array(np.zeros(3, np.float16)),
    "int32": pa.array([1, 2, 3], pa.int32()),
    "string": pa.array(["a", "b", "c"]),
    "bool": pa.array([True, False, True]),
    "null": pa.nulls(3),
    "list": pa.array([[1.0], [], [2.0]], pa.list_(pa.float32())),
    "fixed list": pa.array([[1.0]] * 3, pa.list_(pa.float32(), 1)),
    "struct": pa.array([{"a": 1.0}] * 3, pa.struct([("a", pa.float32())])),
    "dictionary": pa.array([1.0, 1.0, 2.0], pa.float32()).dictionary_encode(),
    "run ends": pa.RunEndEncodedArray.from_arrays([3], pa.array([1.0], pa.float32())),
    "union": pa.UnionArray.from_sparse(pa.array([0, 0, 0], pa.int8()), [pa.array([1.0] * 3, pa.float32())]),
    "view": pa.array(["a", "b", "c"], pa.string_view()),
}


@pytest.mark.parametrize("kind", OTHER_TYPES)
@pytest.mark.parametrize("name", ["f3", "another"])
def test_columns_of_other_types_are_refused(kind: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"column {name} is .*; send float32"):
        from_bytes(encode_columns(**{name: OTHER_TYPES[kind]}), NAMES, LIMITS)


def test_nulls_are_refused() -> None:
    with pytest.raises(ValueError, match="column f3 has nulls; send NaN"):
        from_bytes(encode_columns(f3=pa.array([1, None, 3], pa.float32())), NAMES, LIMITS)


def test_missing_and_repeated_columns_are_named() -> None:
    with pytest.raises(ValueError, match="missing or repeated: f6"):
        from_bytes(encode(pa.table([build_table(3).column(0)] * 8, [*NAMES, "f6"])), NAMES, LIMITS)
    with pytest.raises(ValueError, match="columns are missing or repeated: other"):
        from_bytes(encode_columns(), [*NAMES, "other"], LIMITS)


def truncate(body: bytes, rng: random.Random) -> bytes:
    return body[: rng.randrange(len(body))]


def flip_bits(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        changed[rng.randrange(metadata_size(body))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite_numbers(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randrange(1, 4)):
        offset = rng.randrange(0, metadata_size(body) - 8, 4)
        number = rng.choice([-1, 0, 1, 7, 8, 1 << 16, (1 << 31) - 1, -(1 << 31)])
        changed[offset : offset + 4] = struct.pack("<i", number)
    return bytes(changed)


def splice(body: bytes, rng: random.Random) -> bytes:
    first, second = sorted(rng.sample(range(len(body)), 2))
    return body[:second] + body[first:]


def metadata_size(body: bytes) -> int:
    return min(len(body), 1600)


MUTATORS: Sequence[Callable[[bytes, random.Random], bytes]] = (truncate, flip_bits, overwrite_numbers, splice)


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
@pytest.mark.parametrize("mutate", MUTATORS)
def test_a_mutated_stream_is_refused_or_read_within_bounds(
    mutate: Callable[[bytes, random.Random], bytes], compression: str | None
) -> None:
    body, rng = encode(build_table(40), compression, 25), random.Random(7)
    refused = 0
    for _ in range(MUTATIONS):
        changed = mutate(body, rng)
        try:
            rows = from_bytes(changed, NAMES, LIMITS)
        except ValueError as error:
            assert str(error)
            refused += 1
        else:
            assert rows.nbytes <= (LIMITS.size if compression else len(changed) * len(NAMES))
    assert refused > MUTATIONS // 4
