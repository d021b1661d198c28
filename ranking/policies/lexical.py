"""Lexical order: in a search the typed text decides; the model orders items that match equally well."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.policy import Order, PolicyResult, ScoredCandidates
from reelrank.ranking.rankers.lambdarank import FusedOrder

TEXT_SOURCE, TITLE_SOURCE = "bm25", "title"
SHARED_WORDS, COVERED_WORDS = "title_words", "title_covered"
SERIES_LEVEL, BEGINNING_LEVEL, PERSON_LEVEL = 0.25, 1.0, 2.0
"""The scores of a film of a named series, of a title that begins with the query and of an item of a named
person; those of further items of such people are between the last two, that of a whole title is higher."""
TITLE_WEIGHT = 10.0
"""How much more a watch of a title with a name counts than one of an item of a person with it. Of 3 and 10,
tried on 120 words of titles and 120 surnames of the demo, 3 certainly found the titles less often."""


@dataclass(frozen=True, slots=True)
class LexicalOrder:
    """Sorts a search by what the query names, then by whether every word matched, then by BM25 in steps, then
    as the policy before left it.

    Whole titles come first, then all items of the named person, then further items of the same people or of
    their namesakes, then titles that begin with the query, then items that have every word, in whichever
    fields: a person and a genre, a director and a word of a title.
    Candidates that only a vector found come last. BM25 scores, as a share of the best, are equal
    within one of `steps`, so that a model orders equal matches. Without a model the fused order does, which
    does not know the viewer: the steps are finer then.

    BM25 does not order what is named by whole words, as the films of a series are: it would prefer the title
    that repeats a word. Without a model the most watched come first there. Of titles that are typed up to the
    middle of a word the shortest come first. A model also orders the titles that hold every typed word; those
    that hold no other word come first.

    A name may mean a person or a title: "jones" is in Indiana Jones. The items of the person and the titles
    that hold the name come most watched first, a watch of such a title counting `title_weight` times. A model
    does not order them: it has learned from typed titles, and would prefer what is titled like the person.
    """

    steps: int = 2
    steps_without_model: int = 5
    title_weight: float = TITLE_WEIGHT

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        if candidates.query.kind != "search" or not len(order):
            return PolicyResult(order)
        named = np.nan_to_num(candidates.get_source_scores(TITLE_SOURCE), nan=0.0)
        holds_all = candidates.get_signal(SHARED_WORDS, 0.0) >= 1
        if named.max() == SERIES_LEVEL:  # a title with every word, the numeral too, is nearer than its series
            named[holds_all] = np.maximum(named[holds_all], BEGINNING_LEVEL)
        is_whole = (named > BEGINNING_LEVEL) | ((named > 0) & holds_all)
        levels = np.where(is_whole, np.maximum(named, BEGINNING_LEVEL), named)
        if (is_person := _are_people(levels)).any():
            levels[holds_all] = np.maximum(levels[holds_all], PERSON_LEVEL)
            is_whole |= holds_all
            is_person = _are_people(levels)
        has_model = candidates.model != FusedOrder.name
        steps = self._compute_steps(candidates, holds_all, has_model)
        steps[is_whole] = np.inf
        is_counted = is_person if has_model else is_whole
        watches = _count_watches(candidates, is_counted)
        watches[holds_all & is_person] *= self.title_weight
        position = np.empty(len(order), np.intp)
        position[order] = np.arange(len(order))
        lacks_words = np.zeros(len(order), bool) if candidates.all_words is None else ~candidates.all_words
        lacks_words = lacks_words & ~(holds_all & (steps >= 0)) & ~is_whole
        return PolicyResult(np.lexsort((position, -watches, -steps, lacks_words, -levels)))

    def _compute_steps(
        self, candidates: ScoredCandidates, holds_all: NDArray[np.bool_], has_model: bool
    ) -> NDArray[np.float32]:
        """Returns the step [n] of each candidate; titles that hold every typed word are above others."""
        count = self.steps if has_model else self.steps_without_model
        steps = _compute_steps(candidates.get_source_scores(TEXT_SOURCE), count)
        above = holds_all & (steps >= 0)
        steps[above] = count + 1 if has_model else steps[above] + count + 1
        steps[above & (candidates.get_signal(COVERED_WORDS, 0.0) >= 1)] += count + 1
        return steps


def _are_people(levels: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray((levels > BEGINNING_LEVEL) & (levels <= PERSON_LEVEL))


def _count_watches(candidates: ScoredCandidates, is_counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns the watches [n] and one more of what is counted, 0 of the rest."""
    watches = np.zeros(len(is_counted))
    counted = np.flatnonzero(is_counted & (candidates.rows >= 0))
    watches[counted] = 1 + candidates.popularity.count_watches(candidates.rows[counted])
    return watches


def _compute_steps(scores: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Returns the step [n] of each BM25 score; -1 for what BM25 did not find, or scored below 0."""
    best = np.nanmax(scores, initial=0.0)
    if best <= 0:
        return np.full(len(scores), -1, np.float32)
    steps = np.floor(scores / best * count)
    return np.asarray(np.where(scores >= 0, steps, -1), np.float32)
