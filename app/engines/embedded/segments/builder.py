"""Rows of the database into the columns of a segment, a batch at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import pack
from reelrank.app.engines.embedded.filters.filter_columns import MISSING_VALUE
from reelrank.app.engines.embedded.filters.postings import PostingsBuilder
from reelrank.app.engines.embedded.segments.segment import Allocator, find_sorted
from reelrank.app.engines.embedded.store.documents import VECTOR_COLUMNS, year_of
from reelrank.index_mappings.fields import KEYWORD_FIELDS, VECTOR_FIELDS
from reelrank.index_mappings.match import ID_DTYPE, ItemIds, item_ids

Row = Sequence[Any]
"""A row of documents.COLUMNS."""


class TermDictionary(dict[str, int]):
    """The term of each spelling that was met; `names` holds those of names without case, from 0."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}

    def __missing__(self, spelling: str) -> int:
        self[spelling] = self.names.setdefault(spelling.casefold(), len(self.names))
        return self[spelling]


class SegmentBuilder:
    """`ids` are sorted; `rows` are their rows in the database. Deleted ones, and those never added, are
    not living."""

    def __init__(self, ids: ItemIds, rows: NDArray[np.int64], allocate: Allocator) -> None:
        self.size = len(ids)
        self.allocate = allocate
        self.arrays: dict[str, NDArray[Any]] = {}
        self._store_array("ids", ids)
        order = np.argsort(rows, kind="stable")
        self._store_array("rows", rows[order])
        self._store_array("places_by_row", order.astype(np.int32))
        self._allocate_array("year", (self.size,), np.int32)[:] = MISSING_VALUE
        self._allocate_array("duration_s", (self.size,), np.int32)[:] = MISSING_VALUE
        for name in VECTOR_COLUMNS:
            self._allocate_array(f"vector_{name}", (self.size, VECTOR_FIELDS[name].size), np.float32)
        self.live_docs = np.zeros(self.size, bool)
        self.present = {name: np.zeros(self.size, bool) for name in VECTOR_COLUMNS}
        self.terms = {name: TermDictionary() for name in KEYWORD_FIELDS}
        self.keywords = {name: PostingsBuilder() for name in KEYWORD_FIELDS}
        self.external_ids: dict[bytes, int] = {}
        self.neighbours = PostingsBuilder()

    def add(self, batch: Sequence[Row]) -> None:
        rows = [row for row in batch if not row[2]]
        numbers = np.array([row[0] for row in rows], np.int64)
        places = self.arrays["places_by_row"][np.searchsorted(self.arrays["rows"], numbers)]
        self.live_docs[places] = True
        facts = [orjson.loads(row[3]) for row in rows]
        years = [year_of(fact) for fact in facts]
        self.arrays["year"][places] = [MISSING_VALUE if year is None else year for year in years]
        self.arrays["duration_s"][places] = [fact.get("duration_s", MISSING_VALUE) for fact in facts]
        self._add_keywords("genres", places, [fact.get("genres", ()) for fact in facts])
        for name in ("language", "country"):
            self._add_keywords(name, places, [[fact[name]] if name in fact else () for fact in facts])
        for column, name in enumerate(VECTOR_COLUMNS, 4):
            self._add_vectors(name, places, [row[column] for row in rows])
        self._add_neighbours(places, [orjson.loads(row[-2]) if row[-2] else () for row in rows])

    @property
    def names(self) -> dict[str, dict[str, int]]:
        """Keyword field to {name without case: term}."""
        return {field: terms.names for field, terms in self.terms.items()}

    def finish(self) -> None:
        """Completes `arrays`."""
        self._store_array("living", pack(self.live_docs))
        for name, members in self.present.items():
            self._store_array(f"stated_{name}", pack(members))
        for name, gatherer in self.keywords.items():
            for part, array in gatherer.build(len(self.terms[name].names), self.size).to_arrays(name).items():
                self._store_array(part, array)
        others = np.array(list(self.external_ids), ID_DTYPE)
        order = np.argsort(others)
        self._store_array("others", others[order])
        self._renumber(np.argsort(order))
        postings = self.neighbours.build(self.size + len(others), self.size)
        for part, array in postings.to_arrays("neighbours").items():
            self._store_array(part, array)

    def _add_keywords(self, field: str, doc_ids: NDArray[np.int32], values: Sequence[Sequence[str]]) -> None:
        terms = self.terms[field]
        codes = np.array([terms[word] for words in values for word in words], np.int32)
        carriers = np.repeat(doc_ids, [len(words) for words in values])
        self.keywords[field].add(codes, carriers, np.ones(len(codes), np.uint8))

    def _add_vectors(self, field: str, doc_ids: NDArray[np.int32], blobs: Sequence[bytes | None]) -> None:
        held = [number for number, blob in enumerate(blobs) if blob is not None]
        if held:
            joined = np.frombuffer(b"".join(blobs[number] or b"" for number in held), np.float32)
            self.arrays[f"vector_{field}"][doc_ids[held]] = joined.reshape(len(held), -1)
            self.present[field][doc_ids[held]] = joined.reshape(len(held), -1).any(axis=1)

    def _add_neighbours(
        self, doc_ids: NDArray[np.int32], neighbours: Sequence[Sequence[tuple[str, int]]]
    ) -> None:
        seeds = item_ids(name for each in neighbours for name, _ in each)
        terms = find_sorted(self.arrays["ids"], seeds)
        for number in np.flatnonzero(terms < 0).tolist():
            terms[number] = self.size + self.external_ids.setdefault(seeds[number], len(self.external_ids))
        levels = np.array([level for each in neighbours for _, level in each], np.uint8)
        self.neighbours.add(terms, np.repeat(doc_ids, [len(each) for each in neighbours]), levels)

    def _renumber(self, external_order: NDArray[np.int64]) -> None:
        """Posting lists of `others` were numbered as they came; now by their sorted place."""
        for terms in self.neighbours.terms:
            beyond = terms >= self.size
            terms[beyond] = self.size + external_order[terms[beyond] - self.size]

    def _allocate_array(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        self.arrays[name] = self.allocate(name, shape, dtype)
        return self.arrays[name]

    def _store_array(self, name: str, array: NDArray[Any]) -> None:
        self._allocate_array(name, array.shape, array.dtype)[:] = array
