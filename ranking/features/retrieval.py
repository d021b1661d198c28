"""Features of how the sources found an item: text scores, ranks, agreement, similarities."""

import numpy as np

from reelrank.ranking.column import Column
from reelrank.ranking.features.batching import stack_columns
from reelrank.ranking.features.declare import MISSING_IS_ZERO, Feature, pass_through
from reelrank.ranking.retrieval.fusion import RANK_CONSTANT
from reelrank.ranking.retrieval.source_names import FEATURE_SOURCES


def _divide_by_best(score: Column, best: Column) -> Column:
    """Divides by the best score of the same request, because BM25 has no fixed scale."""
    share: Column = score / best
    return share


def _compute_reciprocal(rank: Column) -> Column:
    shifted: Column = rank + np.float32(RANK_CONSTANT + 1)
    reciprocal = np.divide(np.float32(1), shifted, out=shifted)
    return np.fmax(reciprocal, np.float32(0), out=reciprocal)


def _declare_reciprocal_rank(source: str) -> Feature:
    description = f"Reciprocal rank in the {source} source."
    signal = f"rank_{source}"
    return Feature(
        f"reciprocal_{signal}", "source ranks", (signal,), description, _compute_reciprocal, MISSING_IS_ZERO
    )


def _count_sources(*ranks: Column) -> Column:
    known = np.isfinite(stack_columns(ranks)).view(np.uint8)
    found: Column = np.add.reduce(known, dtype=np.uint8).astype(np.float32)
    return found


RETRIEVAL_FEATURES = (
    Feature(
        "bm25_of_best",
        "text match",
        ("score_bm25", "best_score_bm25"),
        "BM25 as a share of this query's best.",
        _divide_by_best,
    ),
    pass_through("cosine_query", "text match", "Cosine of the query's words and the item's text."),
    pass_through("title_is_query", "text match", "Whether its whole title was typed."),
    pass_through("title_begins", "text match", "Whether its title begins with what was typed."),
    pass_through("title_words", "text match", "Share of the typed words in its title."),
    pass_through("title_phrase", "text match", "Share of neighbouring typed words that are so in its title."),
    pass_through(
        "title_edits", "text match", "Edits from the typed text to its title, as a share of letters."
    ),
    pass_through("query_words", "text match", "How many words were searched; 0 for a home page."),
    *(_declare_reciprocal_rank(source) for source in FEATURE_SOURCES),
    pass_through("fused", "source ranks", "Fused score of all sources (reciprocal rank).", MISSING_IS_ZERO),
    Feature(
        "found_by",
        "source ranks",
        tuple(f"rank_{s}" for s in FEATURE_SOURCES),
        "How many sources found it.",
        _count_sources,
        MISSING_IS_ZERO,
    ),
    pass_through("score_neighbours", "source ranks", "Summed neighbour weights of the viewer's watches."),
    pass_through("history_weight", "embeddings", "Summed neighbour weights of all that the viewer watched."),
    Feature(
        "history_of_best",
        "embeddings",
        ("history_weight", "best_history_weight"),
        "The same as a share of this page's best.",
        _divide_by_best,
    ),
    pass_through("cosine_factors", "embeddings", "Matrix factorisation: viewer and item."),
    pass_through("cosine_session", "embeddings", "item2vec: the session so far and the item."),
    pass_through("cosine_taste", "embeddings", "Text of recent watches and text of the item."),
    pass_through("last_factors", "embeddings", "Matrix factorisation: the newest watch and the item."),
    pass_through("last_session", "embeddings", "item2vec: the newest watch and the item."),
    pass_through("last_text", "embeddings", "Text of the newest watch and of the item."),
    pass_through("nearest_session", "embeddings", "item2vec: the nearest of the ten newest watches."),
    pass_through("nearest_text", "embeddings", "Text: the nearest of the ten newest watches."),
)
