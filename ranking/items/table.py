"""The item table: memory-mapped columns with the attributes of all items of one index version.

All columns are aligned with `ids`, which are sorted. A table is written into a new directory that is then
renamed, so a reader sees a complete table or none.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.errors import CodedError
from reelrank.index_mappings.item import Document
from reelrank.index_mappings.match import ItemIds
from reelrank.index_mappings.query import Filters
from reelrank.ranking.durable import replace_directory
from reelrank.ranking.items.builder import ColumnBuilder
from reelrank.ranking.items.fold_in import FoldIn
from reelrank.ranking.items.listed_values import find_codes, find_named, has_any
from reelrank.ranking.items.names.suggestion_builder import assemble_suggestions
from reelrank.ranking.items.names.suggestion_index import SuggestionIndex
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_keys import Hashes
from reelrank.ranking.items.names.title_words import TitleWords
from reelrank.ranking.items.row_index import RowIndex
from reelrank.ranking.items.table_facts import METADATA_FILE, SCHEMA, TableFacts, read_names

Rows = NDArray[np.intp]


class TableError(CodedError):
    """The item table cannot be used; the message says why, where, and what to do."""

    code = "item_table_unusable"


@dataclass(frozen=True, slots=True, eq=False)
class ItemTable:
    """Columns of N items. year and duration_s are -1 where unknown.

    language, country: the code of the first one, -1 where there is none. languages_offsets [N + 1]: ranges in
    languages_codes, the codes of all of an item; likewise for countries. -1 is the code of a rare name.

    genre_bits uint64 [N]: bit g is set for genres[g]; the 64 most frequent genres have a bit.
    published_day int32 [N]: days since 1970, UNKNOWN_DAY where unknown. people_offsets [N + 1]: ranges
    in people_hashes; likewise for tags. people_keys: sorted hashes of the folded names of all items, and the
    row of each; likewise for tags. vectors: unit rows [N, size], zeros where an item has none.
    neighbour_rows [N, MAX_NEIGHBOURS]: rows of each item's neighbours, -1 where there is none, and their
    levels in neighbour_levels.
    """

    version: str
    ids: ItemIds
    genres: tuple[str, ...]
    languages: tuple[str, ...]
    countries: tuple[str, ...]
    genre_bits: NDArray[np.uint64]
    year: NDArray[np.int16]
    duration_s: NDArray[np.int32]
    published_day: NDArray[np.int32]
    language: NDArray[np.int16]
    country: NDArray[np.int16]
    languages_offsets: NDArray[np.int64]
    languages_codes: NDArray[np.int16]
    countries_offsets: NDArray[np.int64]
    countries_codes: NDArray[np.int16]
    people_offsets: NDArray[np.int64]
    people_hashes: NDArray[np.uint32]
    tags_offsets: NDArray[np.int64]
    tags_hashes: NDArray[np.uint32]
    people_keys: Hashes
    people_rows: NDArray[np.int32]
    tags_keys: Hashes
    tags_rows: NDArray[np.int32]
    neighbour_rows: NDArray[np.int32]
    neighbour_levels: NDArray[np.uint8]
    vectors: Mapping[str, NDArray[np.float32]]
    titles: TitleIndex
    suggestions: SuggestionIndex
    title_words: TitleWords
    fold_in: FoldIn | None
    embeddings: str = ""
    """Fingerprint of what was learned of the items; empty when it is not known."""

    def __len__(self) -> int:
        return len(self.ids)

    def find_rows(self, ids: ItemIds) -> Rows:
        """Returns the row [n] of each id, -1 for an id that is not in the table."""
        return _get_row_index(self).find_rows(ids)

    def has_vector(self, field: str) -> NDArray[np.bool_]:
        """Returns whether each item [N] has a vector of this field."""
        vectors = self.vectors.get(field)
        return np.zeros(len(self), bool) if vectors is None else np.asarray(vectors.any(axis=1), bool)

    def passes(self, filters: Filters, rows: Rows) -> NDArray[np.bool_]:
        """Returns whether the item of each row [n] passes all filters; False for a row of -1."""
        passing = np.asarray(rows >= 0)
        if not len(self):
            return passing
        if filters.languages:
            codes = find_codes(self.languages, filters.languages)
            passing &= has_any(self.languages_offsets, self.languages_codes, rows, codes)
        if filters.countries:
            codes = find_codes(self.countries, filters.countries)
            passing &= has_any(self.countries_offsets, self.countries_codes, rows, codes)
        if filters.genres:
            mask = np.uint64(sum(1 << code for code in find_codes(self.genres, filters.genres)))
            passing &= (self.genre_bits[rows] & mask) != 0
        for keys, keyed_rows, names in (
            (self.people_keys, self.people_rows, filters.people),
            (self.tags_keys, self.tags_rows, filters.tags),
        ):
            if names:
                passing &= build_row_mask(self, find_named(keys, keyed_rows, names))[rows]
        for column, low, high in (
            (self.year, filters.year_min, filters.year_max),
            (self.duration_s, filters.duration_min_s, filters.duration_max_s),
        ):
            if low is not None or high is not None:
                values = column[rows]
                passing &= (values >= max(low or 0, 0)) & (values <= (2**31 - 1 if high is None else high))
        return passing


def find_published(table: ItemTable, rows: Rows, filters: Filters, today: int) -> NDArray[np.bool_]:
    """Returns which rows [n] pass the filters and are published, as far as is known, by a day since 1970."""
    return table.passes(filters, rows) & (table.published_day[rows] <= today)


def build_row_mask(table: ItemTable, rows: Rows) -> NDArray[np.bool_]:
    """Returns a mask of these rows over the table; at least one element, so that row -1 can be looked up."""
    mask = np.zeros(max(len(table), 1), bool)
    mask[rows] = True
    return mask


@lru_cache(maxsize=2)
def _get_row_index(table: ItemTable) -> RowIndex:
    """Builds a row index; cached for two tables, the serving one and its successor."""
    return RowIndex(table.ids)


def build_table(
    directory: Path,
    version: str,
    documents: Iterable[Sequence[Document]],
    fold_in: FoldIn | None,
    embeddings: str = "",
) -> ItemTable:
    """Builds the table of documents in `directory`, replacing an older one, and opens it.

    Memory: one batch, and columns of about 600 bytes per item.
    """
    return build_table_like(None, directory, documents, TableFacts(version, fold_in, embeddings))


def build_table_like(
    earlier: Path | None, directory: Path, documents: Iterable[Sequence[Document]], facts: TableFacts
) -> ItemTable:
    """Builds a table, and takes what depends on texts alone from an earlier one if its texts are the same."""
    if earlier is not None and not _can_be_opened(earlier):
        earlier = None
    with replace_directory(directory) as temporary:
        _write_table(temporary, earlier, documents, facts)
    return open_table(directory)


def _write_table(
    directory: Path, earlier: Path | None, documents: Iterable[Sequence[Document]], facts: TableFacts
) -> None:
    builder = ColumnBuilder(directory)
    for batch in documents:
        builder.add(batch)
    columns, vocabularies, order = builder.build()
    texts = builder.names.compute_digest()
    columns |= builder.names.build(order, read_names(earlier, texts))
    for name, column in columns.items():
        np.save(directory / f"{name}.npy", column)
    builder.write_neighbours(directory, np.asarray(columns["ids"]), order)
    builder.write_vectors(directory, order)
    metadata = {"schema": SCHEMA, "version": facts.version, "size": len(order), "vocabularies": vocabularies}
    metadata |= {"embeddings": facts.embeddings, "texts": texts}
    if facts.fold_in is not None:
        np.save(directory / "gram.npy", facts.fold_in.gram)
        metadata["folding"] = [facts.fold_in.regularization, facts.fold_in.alpha, facts.fold_in.scale]
    (directory / METADATA_FILE).write_text(json.dumps(metadata, ensure_ascii=False))


def _can_be_opened(directory: Path) -> bool:
    try:
        open_table(directory)
    except TableError:
        return False
    return True


def open_table(directory: Path) -> ItemTable:
    """Maps a table into memory. Raises TableError when it is missing, damaged or of another schema."""
    remedy = "run `reelrank train`, or load the items again"
    try:
        metadata = json.loads((directory / METADATA_FILE).read_text())
        if metadata["schema"] != SCHEMA:
            raise TableError(
                f"{directory} has schema {metadata['schema']} but this build reads schema {SCHEMA}; {remedy}",
                code="item_table_outdated",
            )
        table = _map_files(directory, metadata)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise TableError(f"{directory} cannot be read as an item table ({error!r}); {remedy}") from error
    if len(table) != metadata["size"]:
        raise TableError(
            f"{directory} has {len(table)} items but its {METADATA_FILE} says {metadata['size']}; {remedy}"
        )
    return table


def _map_files(directory: Path, metadata: Any) -> ItemTable:
    files = {path.stem: np.asarray(np.load(path, mmap_mode="r")) for path in directory.glob("*.npy")}
    gram = files.pop("gram", None)
    fold_in = None if gram is None else FoldIn(np.asarray(gram), *metadata["folding"])
    vectors, title_columns, word_columns, suggest_columns = (
        {name.removeprefix(prefix): files.pop(name) for name in list(files) if name.startswith(prefix)}
        for prefix in ("vector_", "title_", "words_", "suggest_")
    )
    titles, columns = TitleIndex(**title_columns), dict[str, Any](files)
    names = metadata["vocabularies"]
    vocabularies: dict[str, Any] = {name: tuple(names[name]) for name in ("genres", "languages", "countries")}
    return ItemTable(
        version=metadata["version"],
        vectors=vectors,
        titles=titles,
        suggestions=assemble_suggestions(suggest_columns, titles),
        title_words=TitleWords(**word_columns),
        fold_in=fold_in,
        embeddings=metadata.get("embeddings", ""),  # tables of earlier builds have none
        **vocabularies,
        **columns,
    )
