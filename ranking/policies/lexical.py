"""Lexical order: in a search the typed text decides; the model orders items that match equally well."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.policy import Order, PolicyResult, ScoredCandidates
from reelrank.ranking.rankers.lambdarank import FusedOrder

TEXT_SOURCE, TITLE_SOURCE = "bm25", "title"
SHARED_WORDS = "title_words"
BEGINNING_LEVEL = 1.0
"""The score of a title that begins with the query; a person and a whole title have higher ones."""


@dataclass(frozen=True, slots=True)
class LexicalOrder:
    """Sorts a search by what the query names, then by whether every word matched, then by BM25 in steps, then
    as the policy before left it.

    Whole titles come first, then all items of the named person, then titles that begin with the query, then
    items that have every word, in whichever fields: a person and a genre, a director and a word of a title.
    Candidates that only a vector found come last. BM25 scores, as a share of the best, are equal
    within one of `steps`, so that a model orders equal matches. Without a model the fused order does, which
    does not know the viewer: the steps are finer then.

    BM25 does not order what is named by whole words, as the films of a series are: it would prefer the title
    that repeats a word. Without a model the most watched come first there.
    """

    steps: int = 2
    steps_without_model: int = 5

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        if candidates.query.kind != "search" or not len(order):
            return PolicyResult(order)
        n = len(order)
        named = np.nan_to_num(candidates.get_source_scores(TITLE_SOURCE), nan=0.0)
        count = self.steps_without_model if candidates.model == FusedOrder.name else self.steps
        steps = _compute_steps(candidates.get_source_scores(TEXT_SOURCE), count)
        is_whole = (named > BEGINNING_LEVEL) | ((named > 0) & (candidates.get_signal(SHARED_WORDS, 0.0) >= 1))
        steps = np.where(is_whole, count, steps)
        watches = np.zeros(n)
        if candidates.model == FusedOrder.name:
            counted = np.flatnonzero(is_whole & (candidates.rows >= 0))
            watches[counted] = candidates.popularity.count_watches(candidates.rows[counted])
        position = np.empty(n, np.intp)
        position[order] = np.arange(n)
        lacks_words = np.zeros(n, bool) if candidates.all_words is None else ~candidates.all_words
        return PolicyResult(np.lexsort((position, -watches, -steps, lacks_words, -named)))


def _compute_steps(scores: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Returns the step [n] of each BM25 score; -1 for what BM25 did not find, or scored below 0."""
    best = np.nanmax(scores, initial=0.0)
    if best <= 0:
        return np.full(len(scores), -1, np.float32)
    steps = np.floor(scores / best * count)
    return np.asarray(np.where(scores >= 0, steps, -1), np.float32)
