"""Embeddings learned from watches: item vectors, item neighbours and fold-in parameters."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import Neighbour
from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.embeddings.item2vec import learn_item2vec
from reelrank.ranking.embeddings.item_neighbours import learn_neighbours
from reelrank.ranking.embeddings.matrix_factorization import learn_factors
from reelrank.ranking.embeddings.watches import Watches
from reelrank.ranking.items.fold_in import FoldIn
from reelrank.ranking.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Learned item data. vectors: field name to (item ids [n], unit vectors [n, size]).

    neighbours: by item id, heaviest first. fold_in: None when nothing was learned.
    """

    vectors: Mapping[str, tuple[ItemIds, NDArray[np.float32]]]
    neighbours: Mapping[str, tuple[Neighbour, ...]]
    fold_in: FoldIn | None

    def compute_fingerprint(self) -> str:
        """Returns 16 hexadecimal digits of the content; empty when nothing was learned."""
        if not self.vectors:
            return ""
        digest = hashlib.sha256()
        for field, (ids, vectors) in sorted(self.vectors.items()):
            digest.update(field.encode())
            digest.update(np.ascontiguousarray(ids).tobytes())
            digest.update(np.ascontiguousarray(vectors).tobytes())
        for item_id, neighbours in sorted(self.neighbours.items()):
            digest.update(repr((item_id, neighbours)).encode())
        return digest.hexdigest()[:16]


NO_EMBEDDINGS = Embeddings({}, {}, None)


def learn_embeddings(watches: Watches, progress: Progress = ignore_progress, seed: int = 0) -> Embeddings:
    """Learns all embeddings of a set of watches; NO_EMBEDDINGS when it is empty."""
    if not len(watches):
        return NO_EMBEDDINGS
    step = "learning embeddings"
    progress(step, 0, 3)
    factors, fold_in = learn_factors(watches, seed)
    progress(step, 1, 3)
    neighbours = learn_neighbours(watches)
    progress(step, 2, 3)
    sessions = learn_item2vec(watches, seed)
    progress(step, 3, 3)
    ids = watches.item_ids
    has_session = sessions.any(axis=1)
    vectors = {"factors": (ids, factors), "session": (ids[has_session], sessions[has_session])}
    return Embeddings(vectors, neighbours, fold_in)
