"""The columns of an item table, made from documents in the order of their ids."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC

import numpy as np
from numpy.typing import NDArray

from index_mappings.fields import VECTOR_FIELDS
from index_mappings.item import Document, Item
from index_mappings.match import item_ids

Columns = dict[str, NDArray[np.generic]]
MAX_GENRES = 64
DAY_S = 86_400
NO_DAY = int(np.iinfo(np.int32).min)


def columns_of(
    documents: Sequence[Document],
) -> tuple[Columns, dict[str, list[str]], dict[str, NDArray[np.float32]]]:
    """Columns, vocabularies and vectors; see `ItemTable` for their types and meaning."""
    items = [d.item for d in documents]
    genres = _frequent((genre for item in items for genre in item.genres), MAX_GENRES)
    languages = _frequent((item.language for item in items if item.language), 32_000)
    countries = _frequent((item.country for item in items if item.country), 32_000)
    columns: Columns = {
        "ids": item_ids(item.id for item in items),
        "genre_bits": _genre_bits(items, genres),
        "year": np.array([-1 if i.year is None else i.year for i in items], np.int16),
        "duration_s": np.array([-1 if i.duration_s is None else i.duration_s for i in items], np.int32),
        "published_day": np.array([_day(item) for item in items], np.int32),
        "language": _codes(items, languages, lambda item: item.language),
        "country": _codes(items, countries, lambda item: item.country),
    }
    for name in ("people", "tags"):
        words = [getattr(item, name) for item in items]
        columns[f"{name}_offsets"] = np.cumsum([0, *map(len, words)], dtype=np.int64)
        columns[f"{name}_hashes"] = np.array([word_hash(w) for each in words for w in each], np.uint32)
    vocabularies = {"genres": genres, "languages": languages, "countries": countries}
    return columns, vocabularies, {name: _vectors(documents, name) for name in VECTOR_FIELDS}


def word_hash(word: str) -> int:
    """CRC-32 of the word without case: the same in every process and on every machine."""
    return zlib.crc32(word.casefold().encode())


def _frequent(names: Iterable[str], limit: int) -> list[str]:
    counted = Counter(names).items()
    return [name for name, _ in sorted(counted, key=lambda pair: (-pair[1], pair[0]))[:limit]]


def _genre_bits(items: Sequence[Item], genres: Sequence[str]) -> NDArray[np.uint64]:
    bit = {genre: 1 << code for code, genre in enumerate(genres)}
    return np.array([sum({bit.get(genre, 0) for genre in item.genres}) for item in items], np.uint64)


def _codes(items: Sequence[Item], names: Sequence[str], of: Callable[[Item], str]) -> NDArray[np.int16]:
    code = {name: place for place, name in enumerate(names)}
    return np.array([code.get(of(item), -1) for item in items], np.int16)


def _day(item: Item) -> int:
    if item.published_at is None:
        return NO_DAY
    return int(item.published_at.astimezone(UTC).timestamp() // DAY_S)


def _vectors(documents: Sequence[Document], field: str) -> NDArray[np.float32]:
    matrix = np.zeros((len(documents), VECTOR_FIELDS[field].size), np.float32)
    for row, document in enumerate(documents):
        if field in document.vectors:
            matrix[row] = document.vectors[field]
    return matrix
