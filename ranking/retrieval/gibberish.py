"""Recognizes a search for gibberish, which finds nothing in place of what a text encoder takes it for."""

import numpy as np

from reelrank.index_mappings.text import STOP_WORDS, fold_text
from reelrank.ranking.items.names.title_keys import canonicalize_title, split_words
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.retrieval.fusion import Candidates
from reelrank.ranking.retrieval.source_names import LEXICAL_SOURCES
from reelrank.ranking.viewers.request import RankingRequest

TEXT_SOURCE, VECTOR_SOURCE = "bm25", "text_knn"
MIN_LETTER_BITS = -4.9
"""Mean bits of a letter below which a text does not look like words: of real words that the demo lacks 1 %
are below, of random letters 95 % (`python -m benchmarks gibberish`)."""
MAX_COSINE = 0.6
"""Best cosine from which an item is similar whatever the letters look like: 99 % of random letters are below.
The cosine alone cannot decide: random letters are nearer to some item than half of all real searches are."""


def is_gibberish(request: RankingRequest, found: Candidates, table: ItemTable) -> bool:
    """Returns whether a search holds no word of the catalogue, nor one an edit away, nor looks like words.

    A search that any item matches by its words is never gibberish, nor one whose text source did not answer.
    """
    if TEXT_SOURCE not in found.sources or found.are_found_by(LEXICAL_SOURCES).any():
        return False
    text = request.query.text or ""
    if canonicalize_title(request.search_text) != canonicalize_title(text):
        return False
    words = [word for word in split_words(fold_text(text)) if word not in STOP_WORDS]
    if table.titles.count_words(words).any() or _find_best_cosine(found) >= MAX_COSINE:
        return False
    return table.suggestions.letters.rate(text) < MIN_LETTER_BITS


def _find_best_cosine(found: Candidates) -> float:
    if VECTOR_SOURCE not in found.sources:
        return -1.0
    return float(np.nanmax(found.get_source_scores(VECTOR_SOURCE), initial=-1.0))
