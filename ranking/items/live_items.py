"""Live items: items that were put after an item table was built, appended to its columns in memory.

An appended item takes part in lists at once. The next load or training run builds a table that holds it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import Document
from reelrank.ranking.items.builder import MAX_GENRES, MAX_NAMES
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_words import TitleWords
from reelrank.ranking.items.table import ItemTable, build_table

NUMBER_COLUMNS = ("ids", "year", "duration_s", "published_day")
RAGGED_COLUMNS = {"people": "hashes", "tags": "hashes", "languages": "codes", "countries": "codes"}
CODE_COLUMNS = {"language": "languages", "country": "countries"}
KEY_COLUMNS = ("people", "tags")
Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class StackedRows:
    """Rows of a large mapped matrix followed by those of a small one, without a copy of the large one."""

    base: Array
    tail: Array

    def __len__(self) -> int:
        return len(self.base) + len(self.tail)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.base.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.base.dtype

    def __getitem__(self, rows: Array | slice) -> Array:
        """Returns copies of these rows; -1 is the last one, as in an array."""
        wanted = np.arange(len(self))[rows]
        found = np.array(self.base[np.minimum(wanted, len(self.base) - 1)]) if len(self.base) else None
        if found is None:
            return self.tail[wanted]
        is_tail = wanted >= len(self.base)
        found[is_tail] = self.tail[wanted[is_tail] - len(self.base)]
        return found

    def any(self, axis: int) -> NDArray[np.bool_]:
        return np.concatenate([self.base.any(axis=axis), self.tail.any(axis=axis)])


def append_items(table: ItemTable, documents: Sequence[Document]) -> ItemTable:
    """Returns the table with the items of these documents behind its own; the rows of its own stay.

    None of the documents may be in the table. Costs a copy of all columns but the vectors.
    """
    with TemporaryDirectory() as directory:
        tail = build_table(Path(directory) / "tail", table.version, [documents], None)
        return _join(table, tail)


def _join(table: ItemTable, tail: ItemTable) -> ItemTable:
    names: dict[str, Any] = {
        "genres": _extend(table.genres, tail.genres, MAX_GENRES),
        "languages": _extend(table.languages, tail.languages, MAX_NAMES),
        "countries": _extend(table.countries, tail.countries, MAX_NAMES),
    }
    codes = {field: _map_codes(getattr(tail, field), known) for field, known in names.items()}
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(table, name), getattr(tail, name)]) for name in NUMBER_COLUMNS
    }
    for name, field in CODE_COLUMNS.items():
        columns[name] = np.concatenate([getattr(table, name), codes[field][getattr(tail, name)]])
    for name, kind in RAGGED_COLUMNS.items():
        values = getattr(tail, f"{name}_{kind}")
        values = codes[name][values] if kind == "codes" else values
        columns[f"{name}_offsets"] = _join_offsets(
            getattr(table, f"{name}_offsets"), getattr(tail, f"{name}_offsets")
        )
        columns[f"{name}_{kind}"] = np.concatenate([getattr(table, f"{name}_{kind}"), values])
    for name in KEY_COLUMNS:
        first, second = (
            (getattr(part, f"{name}_keys"), getattr(part, f"{name}_rows")) for part in (table, tail)
        )
        columns[f"{name}_keys"], columns[f"{name}_rows"] = _merge_keys(first, second, len(table))
    columns["genre_bits"] = np.concatenate([table.genre_bits, _map_bits(tail, codes["genres"])])
    columns["vectors"] = {
        field: _stack_rows(vectors, tail.vectors[field]) for field, vectors in table.vectors.items()
    }
    columns["neighbour_rows"] = _stack_rows(table.neighbour_rows, np.full_like(tail.neighbour_rows, -1))
    columns["neighbour_levels"] = _stack_rows(table.neighbour_levels, np.zeros_like(tail.neighbour_levels))
    titles = _join_titles(table.titles, tail.titles, len(table))
    return replace(
        table,
        **names,
        **columns,
        titles=titles,
        suggestions=replace(table.suggestions, credits=titles),
        title_words=_join_title_words(table.title_words, tail.title_words),
    )


def _stack_rows(matrix: Any, more: Array) -> Array:
    """Stacks more rows on a mapped matrix, or on the rows that are stacked on it already."""
    if isinstance(matrix, StackedRows):
        return cast("Array", StackedRows(matrix.base, np.concatenate([matrix.tail, more])))
    return cast("Array", StackedRows(matrix, np.array(more)))


def _extend(known: tuple[str, ...], added: tuple[str, ...], limit: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *added)))[: max(limit, len(known))]


def _map_codes(names: tuple[str, ...], known: tuple[str, ...]) -> NDArray[np.int16]:
    """Returns the code in `known` of each name, -1 where there is none; the last element maps -1."""
    code_of = {name: code for code, name in enumerate(known)}
    return np.array([*(code_of.get(name, -1) for name in names), -1], np.int16)


def _map_bits(tail: ItemTable, codes: NDArray[np.int16]) -> NDArray[np.uint64]:
    bits = np.zeros(len(tail), np.uint64)
    for code, known in enumerate(codes[:-1].tolist()):
        if known >= 0:
            bits |= (tail.genre_bits >> np.uint64(code) & np.uint64(1)) << np.uint64(known)
    return bits


def _join_offsets(offsets: Array, more: Array) -> Array:
    return np.concatenate([offsets, offsets[-1] + more[1:]]).astype(offsets.dtype)


def _merge_keys(first: tuple[Array, Array], second: tuple[Array, Array], rows: int) -> tuple[Array, Array]:
    """Merges sorted keys and the row of each; rows: added to those of the second."""
    (keys, known), (more, added) = first, second
    positions = np.searchsorted(keys, more, "right")
    return np.insert(keys, positions, more), np.insert(known, positions, added + np.int32(rows))


def _merge_parts(titles: TitleIndex, more: TitleIndex) -> tuple[Array, Array]:
    positions = np.searchsorted(titles.parts, more.parts, "right")
    people = np.insert(titles.part_people, positions, more.part_people)
    return np.insert(titles.parts, positions, more.parts), people


def _join_titles(titles: TitleIndex, more: TitleIndex, rows: int) -> TitleIndex:
    """Adds titles and people; the vocabulary of misspellings stays as it was built."""
    columns: dict[str, Array] = {}
    for name in ("compact", "canonical", "acronyms", "people"):
        first, second = ((getattr(part, name), getattr(part, f"{name}_rows")) for part in (titles, more))
        columns[name], columns[f"{name}_rows"] = _merge_keys(first, second, rows)
    positions = np.searchsorted(titles.people, more.people, "right")  # as `_merge_keys` inserts them
    columns["people_places"] = np.insert(titles.people_places, positions, more.people_places)
    columns["parts"], columns["part_people"] = _merge_parts(titles, more)
    return replace(titles, **columns, **_join_texts(titles, more, rows))


def _join_texts(titles: TitleIndex, more: TitleIndex, rows: int) -> dict[str, Array]:
    """Inserts the texts of the second index where they belong in the order of the first."""
    known, added = titles.sorted_texts, more.sorted_texts
    texts = [added.get_text(position) for position in range(len(added))]
    positions = np.array(
        [bisect_left(range(len(known)), text, key=known.get_text) for text in texts], np.intp
    )
    lengths = np.array([len(text) for text in texts], np.int64)
    return {
        "texts": np.insert(known.texts, np.repeat(known.offsets[positions], lengths), added.texts),
        "offsets": np.concatenate([[0], np.cumsum(np.insert(np.diff(known.offsets), positions, lengths))]),
        "heads": np.insert(known.heads, positions, added.heads),
        "text_rows": np.insert(titles.text_rows, positions, more.text_rows + np.int32(rows)),
    }


def _join_title_words(words: TitleWords, more: TitleWords) -> TitleWords:
    return TitleWords(
        _join_offsets(words.offsets, more.offsets),
        np.concatenate([words.hashes, more.hashes]),
        _join_offsets(words.joined_offsets, more.joined_offsets),
        np.concatenate([words.joined, more.joined]),
        _join_offsets(words.letter_offsets, more.letter_offsets),
        np.concatenate([words.letters, more.letters]),
    )
