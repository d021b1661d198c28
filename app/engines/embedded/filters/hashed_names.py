"""People and tags of one segment's documents, as sorted hashes: they are too many for a dictionary."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.postings import Arrays
from reelrank.ranking.items.builder import hash_name


@dataclass(frozen=True, slots=True, eq=False)
class HashedNames:
    """keys uint64 [n]: sorted hashes of folded names. doc_ids int32 [n]: the document of each.

    The field names are array names in segment files.
    """

    keys: NDArray[np.uint64]
    doc_ids: NDArray[np.int32]

    def find(self, names: Sequence[str]) -> NDArray[np.int32]:
        """Returns the documents that have any of these names; one may be returned twice."""
        hashes = np.array([hash_name(name) for name in names], np.uint64)
        firsts, lasts = (np.searchsorted(self.keys, hashes, side) for side in ("left", "right"))
        pairs = zip(firsts.tolist(), lasts.tolist(), strict=True)
        return np.concatenate([self.doc_ids[first:last] for first, last in pairs])

    def to_arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        return {f"{prefix}_{part}": getattr(self, part) for part in self.__slots__}


def read_hashed_names(arrays: Arrays, prefix: str) -> HashedNames:
    return HashedNames(*(arrays[f"{prefix}_{part}"] for part in HashedNames.__slots__))  # type: ignore[arg-type]


@dataclass(slots=True, eq=False)
class HashedNamesBuilder:
    """Collects the names of documents in any order."""

    keys: list[NDArray[np.uint64]] = field(default_factory=list)
    doc_ids: list[NDArray[np.int32]] = field(default_factory=list)

    def add(self, doc_ids: NDArray[np.int32], names: Sequence[Sequence[str]]) -> None:
        """Adds the names of each of these documents."""
        self.keys.append(
            np.array([hash_name(name) for item_names in names for name in item_names], np.uint64)
        )
        self.doc_ids.append(np.repeat(doc_ids, [len(item_names) for item_names in names]).astype(np.int32))

    def build(self) -> HashedNames:
        keys = np.concatenate([np.empty(0, np.uint64), *self.keys])
        doc_ids = np.concatenate([np.empty(0, np.int32), *self.doc_ids])
        order = np.argsort(keys, kind="stable")
        return HashedNames(keys[order], doc_ids[order])
