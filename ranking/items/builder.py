"""Builder of the columns of an item table. It holds one batch of documents at a time."""

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from reelrank.index_mappings.fields import NAME_FIELDS, VECTOR_FIELDS
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import ID_DTYPE, ItemIds, encode_item_ids
from reelrank.index_mappings.text import fold_name
from reelrank.ranking.items.name_columns import NameColumns
from reelrank.ranking.items.names.title_keys import hash_text
from reelrank.ranking.items.neighbour_lists import NeighbourListBuilder

Columns = dict[str, NDArray[np.generic]]
Order = NDArray[np.intp]
MAX_GENRES, MAX_NAMES = 64, 32_000
"""Genres are bits of a uint64; codes of languages and countries are int16."""
DAY_S = 86_400
UNKNOWN_DAY = int(np.iinfo(np.int32).min)
ROWS_PER_CHUNK = 16_384
"""Vectors copied at a time: 17 MB of 256 float32."""
NUMBER_COLUMNS = {"year": np.int16, "duration_s": np.int32, "published_day": np.int32}
MAX_CACHED_NAMES = 65_536
"""Names whose key is kept while a table is built, some 10 MB: people and tags are in many items."""
NAME_COLUMNS = {"languages": "language", "countries": "country"}
"""List of names to the column of the code of its first name."""
RAGGED_COLUMNS = ("genres", "people", "tags", *NAME_COLUMNS)


class ColumnBuilder:
    """Takes documents in any order and builds columns in the order of ids, as described in `ItemTable`.

    Vectors are spooled to files in `scratch`; the other columns need about 300 MB for a million items.
    """

    def __init__(self, scratch: Path) -> None:
        self._parts: dict[str, list[NDArray[np.generic]]] = {}
        self._vocabularies = {field: _Vocabulary() for field in (*NAME_COLUMNS, "genres")}
        self.names = NameColumns(scratch)
        self._neighbours = NeighbourListBuilder(scratch)
        self._raw = {field: scratch / f"{field}.raw" for field in VECTOR_FIELDS}
        self._files = {field: path.open("wb") for field, path in self._raw.items()}

    def add(self, documents: Sequence[Document]) -> None:
        """Appends the items and vectors of a batch."""
        items = [document.item for document in documents]
        self.names.add(items)
        self._neighbours.add(documents)
        self._append("ids", encode_item_ids(item.id for item in items))
        numbers = {
            "year": [-1 if item.year is None else item.year for item in items],
            "duration_s": [-1 if item.duration_s is None else item.duration_s for item in items],
            "published_day": [_to_day(item) for item in items],
        }
        for name, dtype in NUMBER_COLUMNS.items():
            self._append(name, np.array(numbers[name], dtype))
        for name in RAGGED_COLUMNS:
            lists = [tuple(dict.fromkeys(getattr(item, name))) for item in items]
            flat = [word for words in lists for word in words]
            coded = (
                self._vocabularies[name].encode(flat) if name in self._vocabularies else map(hash_word, flat)
            )
            self._append(f"{name} counts", np.array([len(words) for words in lists], np.int64))
            self._append(name, np.array(list(coded), np.int64))
            if name in NAME_FIELDS:
                self._append(f"{name} keys", np.array([hash_name(word) for word in flat], np.uint64))
        for field, file in self._files.items():
            file.write(_stack_vectors(documents, field).tobytes())

    def build(self) -> tuple[Columns, dict[str, list[str]], Order]:
        """Returns all columns but those of names, the vocabularies, and the order to write the others in."""
        ids = self._concatenate("ids", ID_DTYPE)
        order = np.argsort(ids, kind="stable")
        columns: Columns = {"ids": ids[order]}
        columns |= {
            name: self._concatenate(name, np.dtype(dtype))[order] for name, dtype in NUMBER_COLUMNS.items()
        }
        vocabularies = {}
        for plural, name in NAME_COLUMNS.items():
            vocabularies[plural], ranks = self._vocabularies[plural].rank_by_frequency(MAX_NAMES)
            offsets, codes = self._build_ragged(plural, order)
            ranked = ranks[codes].astype(np.int16)
            columns |= {f"{plural}_offsets": offsets, f"{plural}_codes": ranked}
            columns[name] = _take_first(offsets, ranked)
        for name in NAME_FIELDS:
            offsets, words = self._build_ragged(name, order)
            columns |= {f"{name}_offsets": offsets, f"{name}_hashes": words.astype(np.uint32)}
            columns |= self._sort_keys(name, order)
        vocabularies["genres"], ranks = self._vocabularies["genres"].rank_by_frequency(MAX_GENRES)
        columns["genre_bits"] = _build_bits(*self._build_ragged("genres", order), ranks)
        return columns, vocabularies, order

    def write_neighbours(self, directory: Path, ids: ItemIds, order: Order) -> None:
        """Writes the neighbour lists in the given order, which is that of the sorted ids."""
        self._neighbours.write(directory, ids, order)

    def write_vectors(self, directory: Path, order: Order) -> None:
        """Writes vector_<field>.npy [items, size] in the given order and deletes the scratch files."""
        for field, path in self._raw.items():
            self._files[field].close()
            shape = (len(order), VECTOR_FIELDS[field].size)
            target = open_memmap(directory / f"vector_{field}.npy", "w+", np.float32, shape)
            if len(order):
                raw = np.memmap(path, np.float32, "r", shape=shape)
                for start in range(0, len(order), ROWS_PER_CHUNK):
                    target[start : start + ROWS_PER_CHUNK] = raw[order[start : start + ROWS_PER_CHUNK]]
            target.flush()
            path.unlink()

    def _append(self, name: str, part: NDArray[np.generic]) -> None:
        self._parts.setdefault(name, []).append(part)

    def _concatenate(self, name: str, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
        return np.concatenate([np.empty(0, dtype), *self._parts.get(name, [])]).astype(dtype, copy=False)

    def _build_ragged(self, name: str, order: Order) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns offsets [items + 1] and the codes of all items, in the given order of items."""
        int64 = np.dtype(np.int64)
        counts = np.asarray(self._concatenate(f"{name} counts", int64), np.int64)
        codes = np.asarray(self._concatenate(name, int64), np.int64)
        starts = np.cumsum(counts) - counts
        offsets = np.cumsum([0, *counts[order].tolist()], dtype=np.int64)
        within = np.arange(len(codes)) - np.repeat(offsets[:-1], counts[order])
        return offsets, codes[np.repeat(starts[order], counts[order]) + within]

    def _sort_keys(self, name: str, order: Order) -> Columns:
        """Returns the sorted keys of all names, and the row of each."""
        counts = np.asarray(self._concatenate(f"{name} counts", np.dtype(np.int64)), np.int64)
        keys = self._concatenate(f"{name} keys", np.dtype(np.uint64))
        row_of = np.empty(len(order), np.int32)
        row_of[order] = np.arange(len(order), dtype=np.int32)
        by_key = np.argsort(keys, kind="stable")
        return {f"{name}_keys": keys[by_key], f"{name}_rows": np.repeat(row_of, counts)[by_key]}


class _Vocabulary:
    """Codes of names in the order of their first occurrence, with counts; code 0 means no name."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {"": 0}
        self._counts: Counter[str] = Counter()

    def encode(self, names: Iterable[str]) -> list[int]:
        added = list(names)
        self._counts.update(added)
        return [self._codes.setdefault(name, len(self._codes)) for name in added]

    def rank_by_frequency(self, limit: int) -> tuple[list[str], NDArray[np.int64]]:
        """Returns the `limit` most frequent names, ties by name, and the rank of each code, -1 beyond."""
        counted = sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))
        names = [name for name, _ in counted if name][:limit]
        ranks = np.full(len(self._codes), -1, np.int64)
        ranks[[self._codes[name] for name in names]] = np.arange(len(names))
        return names, ranks


def _take_first(offsets: NDArray[np.int64], codes: NDArray[np.int16]) -> NDArray[np.int16]:
    """Returns the first code [items] of each item, -1 where it has none."""
    padded = np.append(codes, np.int16(-1))
    return np.where(np.diff(offsets) > 0, padded[offsets[:-1]], np.int16(-1))


@lru_cache(maxsize=MAX_CACHED_NAMES)
def hash_name(name: str) -> int:
    """Returns the 64 bits that a filter compares a name by; see `title_keys.fold_name`."""
    return hash_text(fold_name(name))


def hash_word(word: str) -> int:
    """Returns the CRC-32 of the case-folded word: the same in every process and on every machine."""
    return zlib.crc32(word.casefold().encode())


def _build_bits(
    offsets: NDArray[np.int64], codes: NDArray[np.int64], ranks: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Returns the bits [items] of each item's genres; a genre of rank -1 has no bit."""
    positions = ranks[codes]
    bits = np.where(positions >= 0, np.uint64(1) << np.maximum(positions, 0).astype(np.uint64), np.uint64(0))
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    genre_bits = np.zeros(len(offsets) - 1, np.uint64)
    np.bitwise_or.at(genre_bits, rows, bits)
    return genre_bits


def _to_day(item: Item) -> int:
    if item.published_at is None:
        return UNKNOWN_DAY
    return int(item.published_at.astimezone(UTC).timestamp() // DAY_S)


def _stack_vectors(documents: Sequence[Document], field: str) -> NDArray[np.float32]:
    matrix = np.zeros((len(documents), VECTOR_FIELDS[field].size), np.float32)
    for row, document in enumerate(documents):
        if field in document.vectors:
            matrix[row] = document.vectors[field]
    return matrix
