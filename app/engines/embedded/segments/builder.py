"""Builds the columns of a segment from database rows, batch by batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import pack
from reelrank.app.engines.embedded.filters.filter_columns import MISSING_VALUE
from reelrank.app.engines.embedded.filters.hashed_names import HashedNamesBuilder
from reelrank.app.engines.embedded.filters.postings import PostingsBuilder
from reelrank.app.engines.embedded.segments.segment import Allocator, find_sorted
from reelrank.app.engines.embedded.store.documents import VECTOR_COLUMNS, parse_year
from reelrank.index_mappings.fields import KEYWORD_FIELDS, NAME_FIELDS, VECTOR_FIELDS
from reelrank.index_mappings.item import read_list
from reelrank.index_mappings.match import ID_DTYPE, ItemIds, encode_item_ids

Row = Sequence[Any]
"""A row of documents.COLUMNS."""


class TermDictionary(dict[str, int]):
    """Assigns a term number to each spelling. names: case-folded name to term, from 0."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}

    def __missing__(self, spelling: str) -> int:
        self[spelling] = self.names.setdefault(spelling.casefold(), len(self.names))
        return self[spelling]


class SegmentBuilder:
    """Builds the arrays of one segment.

    ids: sorted item ids. rows: their database rows. A document is live once it was added undeleted.
    """

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
        self.names_by_field = {name: HashedNamesBuilder() for name in NAME_FIELDS}
        self.external_ids: dict[bytes, int] = {}
        self.neighbours = PostingsBuilder()

    def add(self, batch: Sequence[Row]) -> None:
        rows = [row for row in batch if not row[2]]
        numbers = np.array([row[0] for row in rows], np.int64)
        doc_ids = self.arrays["places_by_row"][np.searchsorted(self.arrays["rows"], numbers)]
        self.live_docs[doc_ids] = True
        items = [orjson.loads(row[3]) for row in rows]
        years = [parse_year(item) for item in items]
        self.arrays["year"][doc_ids] = [MISSING_VALUE if year is None else year for year in years]
        self.arrays["duration_s"][doc_ids] = [item.get("duration_s", MISSING_VALUE) for item in items]
        for name, plural in KEYWORD_FIELDS.items():
            self._add_keywords(name, doc_ids, [read_list(item, plural) for item in items])
        for name, hashed in self.names_by_field.items():
            hashed.add(doc_ids, [read_list(item, name) for item in items])
        for column, name in enumerate(VECTOR_COLUMNS, 4):
            self._add_vectors(name, doc_ids, [row[column] for row in rows])
        self._add_neighbours(doc_ids, [orjson.loads(row[-2]) if row[-2] else () for row in rows])

    @property
    def names(self) -> dict[str, dict[str, int]]:
        """Returns keyword field to {case-folded name: term}."""
        return {field: terms.names for field, terms in self.terms.items()}

    def finish(self) -> None:
        """Adds the arrays that need all documents."""
        self._store_array("living", pack(self.live_docs))
        for name, members in self.present.items():
            self._store_array(f"stated_{name}", pack(members))
        for name, postings_builder in self.keywords.items():
            for part, array in (
                postings_builder.build(len(self.terms[name].names), self.size).to_arrays(name).items()
            ):
                self._store_array(part, array)
        for name, hashed in self.names_by_field.items():
            for part, array in hashed.build().to_arrays(name).items():
                self._store_array(part, array)
        external_ids = np.array(list(self.external_ids), ID_DTYPE)
        order = np.argsort(external_ids)
        self._store_array("others", external_ids[order])
        self._renumber(np.argsort(order))
        postings = self.neighbours.build(self.size + len(external_ids), self.size)
        for part, array in postings.to_arrays("neighbours").items():
            self._store_array(part, array)

    def _add_keywords(self, field: str, doc_ids: NDArray[np.int32], values: Sequence[Sequence[str]]) -> None:
        terms = self.terms[field]
        codes = np.array([terms[name] for names in values for name in names], np.int32)
        repeated_ids = np.repeat(doc_ids, [len(names) for names in values])
        self.keywords[field].add(codes, repeated_ids, np.ones(len(codes), np.uint8))

    def _add_vectors(self, field: str, doc_ids: NDArray[np.int32], blobs: Sequence[bytes | None]) -> None:
        present = [number for number, blob in enumerate(blobs) if blob is not None]
        if present:
            joined = np.frombuffer(b"".join(blobs[number] or b"" for number in present), np.float32)
            self.arrays[f"vector_{field}"][doc_ids[present]] = joined.reshape(len(present), -1)
            self.present[field][doc_ids[present]] = joined.reshape(len(present), -1).any(axis=1)

    def _add_neighbours(
        self, doc_ids: NDArray[np.int32], neighbours: Sequence[Sequence[tuple[str, int]]]
    ) -> None:
        seeds = encode_item_ids(item_id for row in neighbours for item_id, _ in row)
        terms = find_sorted(self.arrays["ids"], seeds)
        for number in np.flatnonzero(terms < 0).tolist():
            terms[number] = self.size + self.external_ids.setdefault(seeds[number], len(self.external_ids))
        levels = np.array([level for row in neighbours for _, level in row], np.uint8)
        self.neighbours.add(terms, np.repeat(doc_ids, [len(row) for row in neighbours]), levels)

    def _renumber(self, external_order: NDArray[np.int64]) -> None:
        """Renumbers the terms of external ids from order of arrival to sorted order."""
        for terms in self.neighbours.terms:
            is_external = terms >= self.size
            terms[is_external] = self.size + external_order[terms[is_external] - self.size]

    def _allocate_array(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        self.arrays[name] = self.allocate(name, shape, dtype)
        return self.arrays[name]

    def _store_array(self, name: str, array: NDArray[Any]) -> None:
        self._allocate_array(name, array.shape, array.dtype)[:] = array
