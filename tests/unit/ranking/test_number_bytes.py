"""Foreign Arrow bytes: whole and within the limits, or refused before a buffer is read."""

import random
import struct
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from reelrank.ranking.wire.arrow_check import Limits, TooLarge
from reelrank.ranking.wire.feature_rows import from_bytes, to_bytes

NAMES = tuple(f"f{place}" for place in range(7))
LIMITS = Limits(rows=20_000, columns=50, size=4_000_000)
MARK = 1237
"""Rows of a stream whose lengths are found again in its metadata."""
MUTATIONS = 300


def rows(n: int) -> NDArray[np.float32]:
    made = np.random.default_rng(n).normal(size=(n, len(NAMES))).astype(np.float32)
    made[::5, 2] = np.nan
    return made


def stream(table: pa.Table, compression: str | None = None, rows_each: int | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as to:
        to.write_table(table, max_chunksize=rows_each)
    return bytes(sink.getvalue())


def table(n: int) -> pa.Table:
    return pa.table(dict(zip(NAMES, rows(n).T, strict=True)))


def columns(**others: pa.Array) -> bytes:
    """A stream with some columns replaced, of three rows."""
    return stream(pa.table({**{name: pa.array([1, 2, 3], pa.float32()) for name in NAMES}, **others}))


def patched(body: bytes, old: int, new: int, only: int | None = None) -> bytes:
    """Another number in place of each int64, or of one of them, in the metadata."""
    changed, at, found = bytearray(body), -1, 0
    end = body.find(rows(MARK).T[0].tobytes()[:64])
    while 0 <= (at := body.find(struct.pack("<q", old), at + 1)) < end:
        if only is None or only == found:
            changed[at : at + 8] = struct.pack("<q", new)
        found += 1
    assert found > (only or 0)
    return bytes(changed)


@pytest.mark.parametrize("n", [0, 1, 8, 12_000])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
@pytest.mark.parametrize("rows_each", [None, 5])
def test_what_was_sent_arrives_bit_by_bit(n: int, compression: str | None, rows_each: int | None) -> None:
    body = stream(table(n), compression, rows_each)
    assert from_bytes(body, NAMES, LIMITS).tobytes() == rows(n).tobytes()
    assert from_bytes(to_bytes(rows(n), NAMES), NAMES[::-1], LIMITS).tobytes() == rows(n)[:, ::-1].tobytes()


@pytest.mark.parametrize("claimed", [MARK + 1, 2000, 19_999, -1, -(2**63)])
@pytest.mark.parametrize("only", [None, 0, 1, 5])
def test_lengths_that_the_buffers_do_not_hold_are_refused(claimed: int, only: int | None) -> None:
    with pytest.raises(ValueError, match=r"rows"):
        from_bytes(patched(to_bytes(rows(MARK), NAMES), MARK, claimed, only), NAMES, LIMITS)


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 40, 2**63 - 1, -1, -(2**63)])
@pytest.mark.parametrize("only", [None, 0, 3])
def test_buffer_lengths_outside_of_the_body_are_refused(claimed: int, only: int | None) -> None:
    with pytest.raises(ValueError, match="outside of a body"):
        from_bytes(patched(to_bytes(rows(MARK), NAMES), 4 * MARK, claimed, only), NAMES, LIMITS)


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 40, 2**63 - 1, -8, -(2**63)])
def test_buffer_offsets_outside_of_the_body_are_refused(claimed: int) -> None:
    second = 4 * MARK + 4  # padded to a multiple of 8
    with pytest.raises(ValueError, match="outside of a body"):
        from_bytes(patched(to_bytes(rows(MARK), NAMES), second, claimed), NAMES, LIMITS)


def test_buffers_too_short_for_their_column_are_refused() -> None:
    with pytest.raises(ValueError, match="states 1237 rows but holds 400 bytes of values, not 4948"):
        from_bytes(patched(to_bytes(rows(MARK), NAMES), 4 * MARK, 400), NAMES, LIMITS)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_compressed_bomb_is_too_large(compression: str) -> None:
    body = stream(pa.table({name: np.zeros(1_000_000, np.float32) for name in NAMES}), compression)
    assert len(body) < 200_000
    with pytest.raises(TooLarge, match="1000000 rows; send at most 20000"):
        from_bytes(body, NAMES, LIMITS)
    with pytest.raises(TooLarge, match="28000000 bytes decompressed"):
        from_bytes(body, NAMES, Limits(rows=2_000_000, size=4_000_000))


@pytest.mark.parametrize("stated", [1 << 24, 1 << 50, 2**63 - 1, -2, 0, 4])
@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_decompressed_size_that_does_not_fit_is_refused(compression: str, stated: int) -> None:
    zeros = pa.table({name: np.zeros(5000, np.float32) for name in NAMES})
    body = stream(zeros, compression)
    changed = body.replace(struct.pack("<q", 20_000), struct.pack("<q", stated))
    assert changed != body
    with pytest.raises(ValueError, match=r"compress|holds|Arrow"):
        from_bytes(changed, NAMES, LIMITS)


def test_rows_of_many_batches_are_counted_together() -> None:
    with pytest.raises(TooLarge, match="rows; send at most 100"):
        from_bytes(stream(table(101), rows_each=10), NAMES, Limits(rows=100))


def test_too_many_columns_are_refused() -> None:
    body = columns(**{f"more{place}": pa.array([0, 0, 0], pa.float32()) for place in range(50)})
    with pytest.raises(TooLarge, match="57 columns; send at most 50"):
        from_bytes(body, NAMES, LIMITS)


FOREIGN: dict[str, pa.Array] = {
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


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("name", ["f3", "another"])
def test_columns_of_any_other_type_are_refused(kind: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"column {name} is .*; send float32"):
        from_bytes(columns(**{name: FOREIGN[kind]}), NAMES, LIMITS)


def test_nulls_are_refused() -> None:
    with pytest.raises(ValueError, match="column f3 holds nulls; send NaN"):
        from_bytes(columns(f3=pa.array([1, None, 3], pa.float32())), NAMES, LIMITS)


def test_missing_and_repeated_columns_are_named() -> None:
    with pytest.raises(ValueError, match="there twice: f6"):
        from_bytes(stream(pa.table([table(3).column(0)] * 8, [*NAMES, "f6"])), NAMES, LIMITS)
    with pytest.raises(ValueError, match="columns are missing or there twice: other"):
        from_bytes(columns(), [*NAMES, "other"], LIMITS)


def cut(body: bytes, rng: random.Random) -> bytes:
    return body[: rng.randrange(len(body))]


def flip_bits(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        changed[rng.randrange(metadata_size(body))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite_numbers(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(0, metadata_size(body) - 8, 4)
        number = rng.choice([-1, 0, 1, 7, 8, 1 << 16, (1 << 31) - 1, -(1 << 31)])
        changed[at : at + 4] = struct.pack("<i", number)
    return bytes(changed)


def splice(body: bytes, rng: random.Random) -> bytes:
    first, second = sorted(rng.sample(range(len(body)), 2))
    return body[:second] + body[first:]


def metadata_size(body: bytes) -> int:
    return min(len(body), 1600)


MUTATORS: Sequence[Callable[[bytes, random.Random], bytes]] = (cut, flip_bits, overwrite_numbers, splice)


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
@pytest.mark.parametrize("mutate", MUTATORS)
def test_a_mutated_stream_is_refused_or_read_within_its_bytes(
    mutate: Callable[[bytes, random.Random], bytes], compression: str | None
) -> None:
    body, rng = stream(table(40), compression, 25), random.Random(7)
    refused = 0
    for _ in range(MUTATIONS):
        changed = mutate(body, rng)
        try:
            found = from_bytes(changed, NAMES, LIMITS)
        except ValueError as error:
            assert str(error)
            refused += 1
        else:
            assert found.nbytes <= (LIMITS.size if compression else len(changed) * len(NAMES))
    assert refused > MUTATIONS // 4
