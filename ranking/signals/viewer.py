"""Signals of the viewer and of viewer and candidate: affinities, rejections, past watches and impressions."""

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.column import Column, find_best, make_shared_column
from reelrank.ranking.items.neighbour_lists import sum_neighbour_weights
from reelrank.ranking.items.table import ItemTable, Rows
from reelrank.ranking.retrieval.candidates import LocatedCandidates
from reelrank.ranking.viewers.request import RankingRequest
from reelrank.ranking.viewers.taste import Preferences

HASH_SIEVE = np.uint32(1 << 16)
"""Size of the table that rejects hashes by their low bits: nearly all words of ten thousand candidates are
unknown to the viewer."""


def observe_viewer(request: RankingRequest, found: LocatedCandidates, table: ItemTable) -> dict[str, Column]:
    """Signals [n]; NaN where the viewer has no past. Sums are in float64, as in `signals.vectors`.

    Of a viewer who only skipped, the signals of their watches are those of a stranger: nothing is known but
    what they do not want.
    """
    taste, n = request.taste, len(found.rows)
    history_weight = _sum_history(request, table, found.rows)
    columns = {
        "watches": make_shared_column(int(taste.is_kept.sum()), n),
        "mean_watched_share": make_shared_column(_compute_mean(taste.watched_share[taste.is_kept]), n),
        "days_since_watch": make_shared_column(_compute_days_since_watch(request), n),
        "history_weight": history_weight,
        "best_history_weight": find_best(history_weight),
        "rejected_genre_share": _compute_rejected_genre_share(request, table, found.rows),
        **_observe_past_impressions(request, found.candidates.ids),
    }
    if not len(taste.preferred.rows):
        return {**columns, **dict.fromkeys(AFFINITIES, make_shared_column(np.nan, n))}
    return {**columns, **_compute_affinities(table, found.rows, taste.preferred)}


REJECTION_PRIOR = 2.0
"""Items of a genre that are assumed to have been watched: one skip is no dislike of a genre. A choice."""
AFFINITIES = (
    "genre_affinity", "genre_affinity_max", "people_affinity", "tags_affinity", "language_affinity",
    "country_affinity", "decade_affinity", "duration_difference", "top_genre",
)  # fmt: skip


def _compute_rejected_genre_share(request: RankingRequest, table: ItemTable, rows: Rows) -> Column:
    """Returns the share [n] of rejected items in the candidate's most rejected genre, of those that the
    viewer preferred or rejected there; NaN for a viewer who rejected nothing."""
    rejected, count = request.taste.rejected, len(table.genres)
    if not len(rejected):
        return make_shared_column(np.nan, len(rows))
    preferred = request.taste.preferred.rows
    rejected_counts, preferred_counts = (
        _build_genre_matrix(table.genre_bits[group], count).sum(axis=0) for group in (rejected, preferred)
    )
    shares = rejected_counts / (rejected_counts + preferred_counts + REJECTION_PRIOR)
    found = (_build_genre_matrix(table.genre_bits[rows], count) * shares).max(axis=1, initial=0)
    return np.where(rows >= 0, found, np.nan).astype(np.float32)


def _sum_history(request: RankingRequest, table: ItemTable, rows: Rows) -> Column:
    """Returns the weights [n] of all that the viewer preferred among the candidate's neighbours."""
    history = request.taste.history
    if not len(history.rows):
        return make_shared_column(np.nan, len(rows))
    lists = table.neighbour_rows, table.neighbour_levels
    return sum_neighbour_weights(lists, rows, (history.rows, history.weights))


def _compute_affinities(table: ItemTable, rows: Rows, recent: Preferences) -> dict[str, Column]:
    watched, weights = recent.rows, recent.weights / max(float(recent.weights.sum()), 1e-6)
    genres = _build_genre_matrix(table.genre_bits[rows], len(table.genres))
    liked = weights @ _build_genre_matrix(table.genre_bits[watched], len(table.genres))
    several = np.maximum(genres.sum(axis=1), 1)
    columns = {
        "genre_affinity": genres.astype(np.float64) @ liked.astype(np.float64) / several,
        "genre_affinity_max": (genres * liked).max(axis=1, initial=0),
        "people_affinity": _sum_word_weights(
            table.people_offsets, table.people_hashes, rows, watched, weights
        ),
        "tags_affinity": _sum_word_weights(table.tags_offsets, table.tags_hashes, rows, watched, weights),
        "language_affinity": _sum_code_weights(table.language, rows, watched, weights),
        "country_affinity": _sum_code_weights(table.country, rows, watched, weights),
        "decade_affinity": _sum_code_weights(table.year, rows, watched, weights, 10),
        "duration_difference": np.abs(table.duration_s[rows] - weights @ table.duration_s[watched]),
    }
    known = {name: np.where(rows >= 0, column, np.nan).astype(np.float32) for name, column in columns.items()}
    return {
        **known,
        "top_genre": make_shared_column(int(liked.argmax()) if len(liked) else np.nan, len(rows)),
    }


def _build_genre_matrix(bits: NDArray[np.uint64], genre_count: int) -> Column:
    """Bits [n] as 0 or 1 in [n, genres]."""
    return (bits[:, None] >> np.arange(genre_count, dtype=np.uint64) & np.uint64(1)).astype(np.float32)


def _sum_code_weights(
    codes: NDArray[np.integer], rows: Rows, watched: Rows, weights: Column, step: int = 1
) -> NDArray[np.float64]:
    """Returns the weight [n] of the watches with the candidate's code; codes within `step` are equal."""
    watched_codes, item_codes = (codes[group].astype(np.int64) // step + 1 for group in (watched, rows))
    totals = np.bincount(watched_codes, weights, minlength=int(item_codes.max(initial=0)) + 1)
    return np.asarray(totals[item_codes], np.float64)


def _sum_word_weights(
    offsets: NDArray[np.int64], hashes: NDArray[np.uint32], rows: Rows, watched: Rows, weights: Column
) -> NDArray[np.float64]:
    """Returns the weight [n] of the watches that share a word of the candidate, summed over its words."""
    seen_words, seen_from = _gather_words(offsets, hashes, watched)
    words, owners = _gather_words(offsets, hashes, rows)
    if not len(seen_words) or not len(words):
        return np.zeros(len(rows))
    known, codes = np.unique(seen_words, return_inverse=True)
    weight = np.bincount(codes, weights[seen_from])
    sieve = np.zeros(HASH_SIEVE, bool)
    sieve[known % HASH_SIEVE] = True
    hits = np.flatnonzero(sieve[words % HASH_SIEVE])
    positions = np.minimum(np.searchsorted(known, words[hits]), len(known) - 1)
    found = np.where(known[positions] == words[hits], weight[positions], 0.0)
    return np.asarray(np.bincount(owners[hits], found, minlength=len(rows)), np.float64)


def _gather_words(
    offsets: NDArray[np.int64], hashes: NDArray[np.uint32], rows: Rows
) -> tuple[NDArray[np.uint32], Rows]:
    """Returns all words of these rows, and for each the position in `rows` it belongs to."""
    counts = np.where(rows >= 0, offsets[rows + 1] - offsets[rows], 0)
    owners = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return hashes[offsets[rows][owners] + within], owners


def _observe_past_impressions(request: RankingRequest, ids: ItemIds) -> dict[str, Column]:
    """Returns how often this viewer was shown the item, and days since the last time."""
    viewer = request.viewer
    shown, newest, times = np.unique(viewer.shown, return_index=True, return_counts=True)
    if not len(shown):
        return {
            "times_shown": make_shared_column(0, len(ids)),
            "days_since_shown": make_shared_column(np.nan, len(ids)),
        }
    positions = np.minimum(np.searchsorted(shown, ids), len(shown) - 1)
    found = shown[positions] == ids
    days = (request.query.context.at_ms - viewer.shown_at_ms[newest][positions]) / DAY_MS
    return {
        "times_shown": np.where(found, times[positions], 0).astype(np.float32),
        "days_since_shown": np.where(found, days, np.nan).astype(np.float32),
    }


def _compute_mean(values: Column) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _compute_days_since_watch(request: RankingRequest) -> float:
    """Returns days since the newest watch that was no quick skip."""
    at_ms = request.viewer.watched.at_ms[request.taste.is_kept]
    return float(request.query.context.at_ms - at_ms[0]) / DAY_MS if len(at_ms) else float("nan")
