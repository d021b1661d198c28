"""What is learned of items from watches: vectors, neighbours, and what folds viewers in."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index_mappings.item import Neighbour
from index_mappings.match import ItemIds
from ranking.factors import learn_factors
from ranking.folding import Folding
from ranking.neighbours import learn_neighbours
from ranking.progress import Progress, silent
from ranking.sessions import learn_sessions
from ranking.watches import Watches


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """vectors: field name to (item ids [n], unit vectors [n, size]); neighbours by item id."""

    vectors: Mapping[str, tuple[ItemIds, NDArray[np.float32]]]
    neighbours: Mapping[str, tuple[Neighbour, ...]]
    folding: Folding | None


NOTHING_LEARNED = Learned({}, {}, None)


def learn(watches: Watches, progress: Progress = silent, seed: int = 0) -> Learned:
    """All embeddings of one set of watches; nothing when there are none."""
    if not len(watches):
        return NOTHING_LEARNED
    step = "learning embeddings"
    progress(step, 0, 3)
    factors, folding = learn_factors(watches, seed)
    progress(step, 1, 3)
    neighbours = learn_neighbours(watches)
    progress(step, 2, 3)
    sessions = learn_sessions(watches, seed)
    progress(step, 3, 3)
    ids = watches.item_ids
    has_session = sessions.any(axis=1)
    vectors = {"factors": (ids, factors), "session": (ids[has_session], sessions[has_session])}
    return Learned(vectors, neighbours, folding)
