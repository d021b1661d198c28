"""Rows of the database into the columns of a segment, a batch at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.engines.embedded.bitmap import packed
from app.engines.embedded.documents import VECTOR_COLUMNS, year_of
from app.engines.embedded.filter_columns import UNSTATED
from app.engines.embedded.postings import PostingsGatherer
from app.engines.embedded.segment import Store, found
from index_mappings.fields import KEYWORD_FIELDS, VECTOR_FIELDS
from index_mappings.match import ID_DTYPE, ItemIds, item_ids

Row = Sequence[Any]
"""A row of documents.COLUMNS."""


class Terms(dict[str, int]):
    """The term of each spelling that was met; `names` holds those of names without case, from 0."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}

    def __missing__(self, spelling: str) -> int:
        self[spelling] = self.names.setdefault(spelling.casefold(), len(self.names))
        return self[spelling]


class SegmentBuilder:
    """`ids` are sorted; `rows` are their rows in the database. Deleted ones, and those never added, are
    not living."""

    def __init__(self, ids: ItemIds, rows: NDArray[np.int64], store: Store) -> None:
        self.size = len(ids)
        self.store = store
        self.arrays: dict[str, NDArray[Any]] = {}
        self._keep("ids", ids)
        order = np.argsort(rows, kind="stable")
        self._keep("rows", rows[order])
        self._keep("places_by_row", order.astype(np.int32))
        self._allot("year", (self.size,), np.int32)[:] = UNSTATED
        self._allot("duration_s", (self.size,), np.int32)[:] = UNSTATED
        for name in VECTOR_COLUMNS:
            self._allot(f"vector_{name}", (self.size, VECTOR_FIELDS[name].size), np.float32)
        self.living = np.zeros(self.size, bool)
        self.stated = {name: np.zeros(self.size, bool) for name in VECTOR_COLUMNS}
        self.terms = {name: Terms() for name in KEYWORD_FIELDS}
        self.keywords = {name: PostingsGatherer() for name in KEYWORD_FIELDS}
        self.others: dict[bytes, int] = {}
        self.neighbours = PostingsGatherer()

    def add(self, batch: Sequence[Row]) -> None:
        rows = [row for row in batch if not row[2]]
        numbers = np.array([row[0] for row in rows], np.int64)
        places = self.arrays["places_by_row"][np.searchsorted(self.arrays["rows"], numbers)]
        self.living[places] = True
        facts = [orjson.loads(row[3]) for row in rows]
        years = [year_of(fact) for fact in facts]
        self.arrays["year"][places] = [UNSTATED if year is None else year for year in years]
        self.arrays["duration_s"][places] = [fact.get("duration_s", UNSTATED) for fact in facts]
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
        self._keep("living", packed(self.living))
        for name, members in self.stated.items():
            self._keep(f"stated_{name}", packed(members))
        for name, gatherer in self.keywords.items():
            for part, array in gatherer.postings(len(self.terms[name].names), self.size).arrays(name).items():
                self._keep(part, array)
        others = np.array(list(self.others), ID_DTYPE)
        order = np.argsort(others)
        self._keep("others", others[order])
        self._renumber(np.argsort(order))
        postings = self.neighbours.postings(self.size + len(others), self.size)
        for part, array in postings.arrays("neighbours").items():
            self._keep(part, array)

    def _add_keywords(self, name: str, places: NDArray[np.int32], lists: Sequence[Sequence[str]]) -> None:
        terms = self.terms[name]
        codes = np.array([terms[word] for words in lists for word in words], np.int32)
        carriers = np.repeat(places, [len(words) for words in lists])
        self.keywords[name].add(codes, carriers, np.ones(len(codes), np.uint8))

    def _add_vectors(self, name: str, places: NDArray[np.int32], blobs: Sequence[bytes | None]) -> None:
        held = [number for number, blob in enumerate(blobs) if blob is not None]
        if held:
            joined = np.frombuffer(b"".join(blobs[number] or b"" for number in held), np.float32)
            self.arrays[f"vector_{name}"][places[held]] = joined.reshape(len(held), -1)
            self.stated[name][places[held]] = joined.reshape(len(held), -1).any(axis=1)

    def _add_neighbours(self, places: NDArray[np.int32], lists: Sequence[Sequence[tuple[str, int]]]) -> None:
        seeds = item_ids(name for each in lists for name, _ in each)
        terms = found(self.arrays["ids"], seeds)
        for number in np.flatnonzero(terms < 0).tolist():
            terms[number] = self.size + self.others.setdefault(seeds[number], len(self.others))
        levels = np.array([level for each in lists for _, level in each], np.uint8)
        self.neighbours.add(terms, np.repeat(places, [len(each) for each in lists]), levels)

    def _renumber(self, places_of_others: NDArray[np.int64]) -> None:
        """Posting lists of `others` were numbered as they came; now by their sorted place."""
        for terms in self.neighbours.terms:
            beyond = terms >= self.size
            terms[beyond] = self.size + places_of_others[terms[beyond] - self.size]

    def _allot(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        self.arrays[name] = self.store(name, shape, dtype)
        return self.arrays[name]

    def _keep(self, name: str, array: NDArray[Any]) -> None:
        self._allot(name, array.shape, array.dtype)[:] = array
