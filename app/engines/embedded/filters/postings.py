"""Postings: for each term, the doc ids of the documents that have it, and its level in each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """offsets int64 [terms + 1] into places int32 (doc ids) and levels uint8, both in the order of terms.

    The field names are array names in segment files.
    """

    offsets: NDArray[np.int64]
    places: NDArray[np.int32]
    levels: NDArray[np.uint8]

    def get_slice(self, term: int) -> slice:
        return slice(int(self.offsets[term]), int(self.offsets[term + 1]))

    def to_arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        return {f"{prefix}_{part}": getattr(self, part) for part in self.__slots__}


def read_postings(arrays: Arrays, prefix: str) -> Postings:
    return Postings(*(arrays[f"{prefix}_{part}"] for part in Postings.__slots__))  # type: ignore[arg-type]


@dataclass(slots=True, eq=False)
class PostingsBuilder:
    """Collects terms of documents in any order; `build` sorts them by term."""

    terms: list[NDArray[np.int32]] = field(default_factory=list)
    doc_ids: list[NDArray[np.int32]] = field(default_factory=list)
    levels: list[NDArray[np.uint8]] = field(default_factory=list)

    def add(
        self, terms: NDArray[np.integer], doc_ids: NDArray[np.integer], levels: NDArray[np.integer]
    ) -> None:
        self.terms.append(terms.astype(np.int32))
        self.doc_ids.append(doc_ids.astype(np.int32))
        self.levels.append(levels.astype(np.uint8))

    def build(self, term_count: int, document_count: int) -> Postings:
        """Builds the postings. A term that a document lists twice gets the sum of its levels."""
        if not self.terms:
            return Postings(np.zeros(term_count + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.uint8))
        shape = (max(term_count, 1), max(document_count, 1))
        parts = (np.concatenate(self.terms), np.concatenate(self.doc_ids))
        matrix = csr_matrix((np.concatenate(self.levels), parts), shape=shape)
        offsets = matrix.indptr[: term_count + 1].astype(np.int64)
        return Postings(offsets, matrix.indices.astype(np.int32, copy=False), matrix.data)
