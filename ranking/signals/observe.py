"""Signals: what is observed of every candidate at request time. Logged as observed, never recomputed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

import holidays
import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.column import Column, find_best, make_shared_column, take_rows
from reelrank.ranking.items.builder import UNKNOWN_DAY, hash_word
from reelrank.ranking.items.listed_values import has_any
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.half_lives import HALF_LIVES_DAYS
from reelrank.ranking.items.table import ItemTable, Rows
from reelrank.ranking.retrieval.candidates import LocatedCandidates
from reelrank.ranking.retrieval.fusion import Candidates
from reelrank.ranking.retrieval.source_names import FEATURE_SOURCES
from reelrank.ranking.signals.titles import observe_titles
from reelrank.ranking.signals.vectors import observe_vectors
from reelrank.ranking.signals.viewer import observe_viewer
from reelrank.ranking.viewers.request import RankingRequest


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """The observed signals of n candidates.

    columns: signal name to float32 [n], NaN where unknown; see `reelrank.ranking.column`.
    """

    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: Rows) -> "Signals":
        """Returns the signals of the candidates at these positions, in this order."""
        return Signals({name: take_rows(column, rows) for name, column in self.columns.items()})


Observer = Callable[[], dict[str, Column]]


def observe(
    request: RankingRequest, found: LocatedCandidates, table: ItemTable, popularity: Popularity
) -> Signals:
    """Observes the signals of n candidates; those of the item itself are NaN where the table lacks it."""
    columns: dict[str, Column] = {}
    for observer in build_observers(request, found, table, popularity).values():
        columns |= observer()
    return Signals(columns)


def build_observers(
    request: RankingRequest, found: LocatedCandidates, table: ItemTable, popularity: Popularity
) -> dict[str, Observer]:
    """Returns the function that observes each group of signals, by the group's name."""
    rows = found.rows
    return {
        "sources": partial(_observe_sources, found.candidates),
        "items": partial(_observe_item, table, rows),
        "popularity": partial(_observe_popularity, popularity, rows),
        "titles": partial(observe_titles, request, table, rows),
        "vectors": partial(observe_vectors, request, table, rows),
        "viewer": partial(observe_viewer, request, found, table),
        "request": partial(_observe_request, request, table, rows),
    }


def _observe_sources(candidates: Candidates) -> dict[str, Column]:
    columns: dict[str, Column] = {"fused": candidates.fused}
    for source in FEATURE_SOURCES:
        if source in candidates.sources:
            ranks = candidates.get_source_ranks(source)
            columns[f"rank_{source}"] = np.where(ranks >= 0, ranks, np.nan).astype(np.float32)
            columns[f"score_{source}"] = candidates.get_source_scores(source)
        else:
            unknown = make_shared_column(np.nan, len(candidates))
            columns |= {f"rank_{source}": unknown, f"score_{source}": unknown}
    columns["best_score_bm25"] = find_best(columns["score_bm25"])
    return columns


def _observe_item(table: ItemTable, rows: Rows) -> dict[str, Column]:
    return {
        "year": _gather_known(table.year, rows, -1),
        "duration_s": _gather_known(table.duration_s, rows, -1),
        "published_day": _gather_known(table.published_day, rows, UNKNOWN_DAY),
        "language": _gather_known(table.language, rows, -1),
        "country": _gather_known(table.country, rows, -1),
        "genre_count": _count_genres(table, rows),
        "main_genre": _find_main_genre(table, rows),
        "lead_person": _gather_first_hash(table.people_offsets, table.people_hashes, rows),
    }


def _observe_popularity(popularity: Popularity, rows: Rows) -> dict[str, Column]:
    shares = popularity.compute_shares(rows)
    columns = {f"share_{int(days)}d": shares[:, index] for index, days in enumerate(HALF_LIVES_DAYS)}
    return {**columns, "click_through": popularity.compute_ctr(rows)}


def _observe_request(request: RankingRequest, table: ItemTable, rows: Rows) -> dict[str, Column]:
    context = request.query.context
    at = context.at
    values = {
        "hour": at.hour + at.minute / 60,
        "weekday": at.weekday(),
        "week_of_year": at.isocalendar().week,
        "today": context.at_ms // DAY_MS,
        "is_holiday": _is_holiday(context.country, at),
        "is_search": request.query.kind == "search",
        "is_similar": request.query.kind == "similar",
        "query_words": len((request.query.text or "").split()),
        "device": hash_word(context.device) % 1024 if context.device else np.nan,
    }
    columns = {name: make_shared_column(value, len(rows)) for name, value in values.items()}
    countries = [name.casefold() for name in table.countries]
    country = context.country.casefold()
    if country not in countries:
        return {**columns, "same_country": make_shared_column(np.nan, len(rows))}
    code = countries.index(country)
    same = has_any(table.countries_offsets, table.countries_codes, rows, [code])
    return {**columns, "same_country": same.astype(np.float32)}


def _is_holiday(country: str, timestamp: datetime) -> float:
    """Returns 1 on a public holiday of the country (ISO 3166 code), 0 on another day, NaN where unknown."""
    if not country:
        return float("nan")
    calendar = _load_calendar(country.upper())
    return float("nan") if calendar is None else float(timestamp.date() in calendar)


@cache
def _load_calendar(country: str) -> holidays.HolidayBase | None:
    try:
        return holidays.country_holidays(country)
    except NotImplementedError:
        return None


def _gather(column: NDArray[np.generic], rows: Rows) -> Column:
    if not len(column):
        return make_shared_column(np.nan, len(rows))
    return np.where(rows >= 0, column[rows].astype(np.float32), np.nan)


def _gather_known(column: NDArray[np.generic], rows: Rows, unknown: int) -> Column:
    values = _gather(column, rows)
    return np.where(values == unknown, np.nan, values)


def _count_genres(table: ItemTable, rows: Rows) -> Column:
    if not len(table):
        return make_shared_column(np.nan, len(rows))
    return np.where(rows >= 0, np.bitwise_count(table.genre_bits[rows]), np.nan).astype(np.float32)


def _find_main_genre(table: ItemTable, rows: Rows) -> Column:
    """Codes of each item's rarest genre, the most specific one; NaN without a genre."""
    if not len(table):
        return make_shared_column(np.nan, len(rows))
    bits = np.where(rows >= 0, table.genre_bits[rows], 0).astype(np.uint64)
    highest = np.frexp(bits.astype(np.float64))[1] - 1
    return np.where(bits > 0, highest, np.nan).astype(np.float32)


def _gather_first_hash(offsets: NDArray[np.int64], hashes: NDArray[np.uint32], rows: Rows) -> Column:
    """Returns the first name's hash of each item, in 24 bits, which float32 holds exactly."""
    if not len(hashes):
        return make_shared_column(np.nan, len(rows))
    some = (rows >= 0) & (offsets[rows + 1] > offsets[rows])
    first = hashes[np.minimum(offsets[rows], len(hashes) - 1)] >> 8
    return np.where(some, first, np.nan).astype(np.float32)
