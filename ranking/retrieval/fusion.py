"""Candidates: the matches of all sources side by side, fused by reciprocal rank."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import ID_DTYPE, ItemIds, Matches, deduplicate_ids

RANK_CONSTANT = 60
"""Cormack, Clarke & Büttcher 2009; damps the gap between the first few ranks."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """n items with every source's match: best fused score first, ties by id.

    ids [n] of ID_DTYPE; fused [n] float32; sources: s names; ranks [n, s] int32 from 0, -1 where
    the source did not find the item; scores [n, s] float32, NaN where it did not. all_words [n]: whether a
    text source found every word in it, None when none was asked for that.
    """

    ids: ItemIds
    fused: NDArray[np.float32]
    sources: tuple[str, ...]
    ranks: NDArray[np.int32]
    scores: NDArray[np.float32]
    all_words: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.intp]) -> "Candidates":
        """Returns the candidates at these positions, in this order."""
        all_words = None if self.all_words is None else self.all_words[rows]
        columns = self.ids[rows], self.fused[rows], self.sources, self.ranks[rows], self.scores[rows]
        return Candidates(*columns, all_words)

    def with_unranked(self, ids: ItemIds) -> "Candidates":
        """Returns these candidates, followed by ids [m] that no source found and that are not among them."""
        m, s = len(ids), len(self.sources)
        return Candidates(
            np.concatenate([self.ids, ids]),
            np.concatenate([self.fused, np.zeros(m, np.float32)]),
            self.sources,
            np.concatenate([self.ranks, np.full((m, s), -1, np.int32)]),
            np.concatenate([self.scores, np.full((m, s), np.nan, np.float32)]),
            None if self.all_words is None else np.concatenate([self.all_words, np.zeros(m, bool)]),
        )

    @property
    def have_all_words(self) -> NDArray[np.bool_]:
        """Returns whether a text source found every word of the query in each candidate [n].

        False where that is not known.
        """
        return np.zeros(len(self), bool) if self.all_words is None else self.all_words

    def are_found_by(self, sources: Sequence[str]) -> NDArray[np.bool_]:
        """Returns whether any of these sources found each candidate [n]."""
        columns = [column for column, source in enumerate(self.sources) if source in sources]
        return np.asarray((self.ranks[:, columns] >= 0).any(axis=1))

    def get_source_ranks(self, source: str) -> NDArray[np.int32]:
        """Returns the ranks [n] in one source; all -1 when the source was not asked or was dropped."""
        if source not in self.sources:
            return np.full(len(self), -1, np.int32)
        return self.ranks[:, self.sources.index(source)]

    def get_source_scores(self, source: str) -> NDArray[np.float32]:
        """Returns the scores [n] in a source that was asked, NaN where it did not find the item.

        Raises ValueError for another source.
        """
        return self.scores[:, self.sources.index(source)]

    def get_scores_by_source(self) -> dict[str, NDArray[np.float32]]:
        """Returns the scores [n] by source, NaN where it did not find the item."""
        return {source: self.scores[:, column] for column, source in enumerate(self.sources)}


def fuse(matches: Sequence[Matches]) -> Candidates:
    """Fuses by reciprocal rank: fused = sum over sources of 1 / (RANK_CONSTANT + rank + 1)."""
    sources = tuple(m.source for m in matches)
    all_ids = np.concatenate([m.ids for m in matches]) if matches else np.empty(0, ID_DTYPE)
    ids, positions = deduplicate_ids(all_ids)
    ranks = np.full((len(ids), len(sources)), -1, np.int32)
    scores = np.full((len(ids), len(sources)), np.nan, np.float32)
    start, all_words = 0, None
    for column, found in enumerate(matches):
        rows = positions[start : start + len(found)]
        ranks[rows, column] = np.arange(len(found), dtype=np.int32)
        scores[rows, column] = found.scores
        if found.has_all_words is not None:
            all_words = np.zeros(len(ids), bool) if all_words is None else all_words
            all_words[rows] |= found.has_all_words
        start += len(found)
    reciprocal = np.where(ranks >= 0, 1.0 / (RANK_CONSTANT + ranks + 1.0), 0.0)
    fused = reciprocal.sum(axis=1).astype(np.float32)
    order = np.argsort(-fused, kind="stable")
    return Candidates(ids, fused, sources, ranks, scores, all_words).take(order)
