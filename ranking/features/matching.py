"""How the sources found an item: text scores, ranks, agreement, embedding similarities."""

import numpy as np

from ranking.column import Column
from ranking.features.declare import MISSING_IS_ZERO, Columns, Feature, as_observed
from ranking.fusion import RANK_CONSTANT
from ranking.source_names import SOURCES


def _of_best(s: Columns) -> Column:
    """BM25 has no fixed scale, so compare it with the best score of the same query."""
    scores = s["score_bm25"]
    best = np.nanmax(scores) if np.isfinite(scores).any() else np.nan
    share: Column = scores / np.float32(best)
    return share


def _reciprocal(signal: str) -> Feature:
    def derive(s: Columns) -> Column:
        reciprocal: Column = np.fmax(
            np.float32(1) / (s[signal] + np.float32(RANK_CONSTANT + 1)), np.float32(0)
        )
        return reciprocal

    source = signal.removeprefix("rank_")
    words = f"Reciprocal rank in the {source} source."
    return Feature(f"reciprocal_{signal}", "source ranks", (signal,), words, derive, MISSING_IS_ZERO)


def _found_by(s: Columns) -> Column:
    """Sources that were not asked come as one NaN each, and add nothing to any."""
    found = np.zeros(1, np.uint8)
    for name in SOURCES:
        found = found + np.isfinite(s[f"rank_{name}"]).view(np.uint8)
    return found.astype(np.float32)


FEATURES = (
    Feature("bm25_of_best", "text match", ("score_bm25",), "BM25 as a share of this query's best.", _of_best),
    as_observed("cosine_query", "text match", "Cosine of the query's words and the item's text."),
    as_observed("query_words", "text match", "How many words were searched; 0 for a home page."),
    *(_reciprocal(f"rank_{source}") for source in SOURCES),
    as_observed("fused", "source ranks", "Fused score of all sources (reciprocal rank).", MISSING_IS_ZERO),
    Feature("found_by", "source ranks", tuple(f"rank_{s}" for s in SOURCES), "How many sources found it.",
            _found_by, MISSING_IS_ZERO),
    as_observed("score_neighbours", "source ranks", "Summed neighbour weights of the viewer's watches."),
    as_observed("cosine_factors", "embeddings", "Matrix factorisation: viewer and item."),
    as_observed("cosine_session", "embeddings", "item2vec: the session so far and the item."),
    as_observed("cosine_taste", "embeddings", "Text of recent watches and text of the item."),
    as_observed("last_factors", "embeddings", "Matrix factorisation: the newest watch and the item."),
    as_observed("last_session", "embeddings", "item2vec: the newest watch and the item."),
    as_observed("last_text", "embeddings", "Text of the newest watch and of the item."),
    as_observed("nearest_session", "embeddings", "item2vec: the nearest of the ten newest watches."),
    as_observed("nearest_text", "embeddings", "Text: the nearest of the ten newest watches."),
)  # fmt: skip
