"""One version in memory, as of a change: ids, vectors, filter columns and neighbours, never altered."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.engines.embedded.documents import COLUMNS, VECTOR_COLUMNS, item_of
from index_mappings.fields import VECTOR_FIELDS, level_weight
from index_mappings.item import Item, Neighbour
from index_mappings.match import ItemIds, item_ids
from index_mappings.query import Filters

Mask = NDArray[np.bool_]
UNSTATED = -1


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """n documents in the order of ids. rows int64 [n]: their rows in the database, `row_order` sorts them.

    vectors: field to [n, size], zeros where there is none. codes: filter field to int32 [n] (genres:
    uint64 bits) by `names`. carriers [n, n]: weight with which a column's item carries a row's id.
    """

    version: str
    seq: int
    ids: ItemIds
    rows: NDArray[np.int64]
    row_order: NDArray[np.intp]
    vectors: dict[str, NDArray[np.float32]]
    genres: csr_matrix
    names: dict[str, dict[str, int]]
    codes: dict[str, NDArray[np.int32]]
    carriers: csr_matrix

    def __len__(self) -> int:
        return len(self.ids)

    def places_of_rows(self, rows: NDArray[np.int64]) -> NDArray[np.intp]:
        """Places [k] of database rows; -1 for a row that this snapshot does not hold."""
        if not len(self):
            return np.full(len(rows), -1, np.intp)
        at = np.minimum(np.searchsorted(self.rows, rows, sorter=self.row_order), len(self) - 1)
        places = self.row_order[at]
        return np.where(self.rows[places] == rows, places, -1)

    def passes(self, filters: Filters) -> Mask:
        """Which documents [n] meet every filter."""
        passing = np.ones(len(self), bool)
        if filters.genres:
            known = [self.names["genres"].get(name.casefold(), -1) for name in filters.genres]
            wanted = [code for code in known if code >= 0]
            passing &= np.asarray(self.genres[:, wanted].sum(axis=1)).ravel() > 0
        for field, names in (("language", filters.languages), ("country", filters.countries)):
            if names:
                codes = [self.names[field].get(name.casefold(), -2) for name in names]
                passing &= np.isin(self.codes[field], codes)
        for field, low, high in (
            ("year", filters.year_min, filters.year_max),
            ("duration_s", filters.duration_min_s, filters.duration_max_s),
        ):
            if low is not None or high is not None:
                values = self.codes[field]
                passing &= (values != UNSTATED) & (values >= (low or 0))
                passing &= values <= (np.iinfo(np.int32).max if high is None else high)
        return passing

    def neighbour_scores(self, seeds: Sequence[Neighbour]) -> NDArray[np.float32]:
        """[n]: the sum over seeds of seed weight x the level weight with which each item carries it."""
        wanted = item_ids(seed.id for seed in seeds)
        weights = np.array([seed.weight for seed in seeds], np.float32)
        if not len(self) or not len(wanted):
            return np.zeros(len(self), np.float32)
        places = np.minimum(np.searchsorted(self.ids, wanted), len(self) - 1)
        known = self.ids[places] == wanted
        return np.asarray(self.carriers[places[known]].T @ weights[known], np.float32).ravel()


def read_snapshot(connection: sqlite3.Connection, version: str) -> Snapshot:
    """Everything of a version that is not deleted, in one read transaction."""
    connection.execute("begin")
    try:
        seq = last_seq(connection, version)
        select = f"select {COLUMNS} from documents where version = ? and not deleted order by id"
        rows = connection.execute(select, (version,)).fetchall()
    finally:
        connection.execute("commit")
    ids = item_ids(row[1] for row in rows)
    items = [item_of(row[1], row[3]) for row in rows]
    names = {
        "genres": _codes_of(genre for item in items for genre in item.genres),
        "language": _codes_of(item.language for item in items if item.language),
        "country": _codes_of(item.country for item in items if item.country),
    }
    numbers = np.array([row[0] for row in rows], np.int64)
    return Snapshot(
        version,
        seq,
        ids,
        numbers,
        np.argsort(numbers),
        _vectors(rows),
        _genre_matrix(items, names["genres"]),
        names,
        _filter_codes(items, names),
        _carriers(ids, rows),
    )


def last_seq(connection: sqlite3.Connection, version: str) -> int:
    row = connection.execute("select max(seq) from documents where version = ?", (version,)).fetchone()
    return int(row[0] or 0)


def _codes_of(names: Any) -> dict[str, int]:
    return {name: code for code, name in enumerate(sorted({name.casefold() for name in names}))}


def _vectors(rows: list[Any]) -> dict[str, NDArray[np.float32]]:
    vectors = {}
    for column, name in enumerate(VECTOR_COLUMNS, 4):
        matrix = np.zeros((len(rows), VECTOR_FIELDS[name].size), np.float32)
        held = [place for place, row in enumerate(rows) if row[column] is not None]
        if held:
            joined = b"".join(rows[place][column] for place in held)
            matrix[held] = np.frombuffer(joined, np.float32).reshape(len(held), -1)
        vectors[name] = matrix
    return vectors


def _genre_matrix(items: list[Item], names: dict[str, int]) -> csr_matrix:
    places = [place for place, item in enumerate(items) for _ in item.genres]
    codes = [names[genre.casefold()] for item in items for genre in item.genres]
    shape = (len(items), max(len(names), 1))
    return csr_matrix((np.ones(len(places), np.int8), (places, codes)), shape=shape)


def _filter_codes(items: list[Item], names: dict[str, dict[str, int]]) -> dict[str, NDArray[np.int32]]:
    def stated(numbers: list[int | None]) -> NDArray[np.int32]:
        return np.array([UNSTATED if number is None else number for number in numbers], np.int32)

    return {
        "language": stated([names["language"].get(item.language.casefold()) for item in items]),
        "country": stated([names["country"].get(item.country.casefold()) for item in items]),
        "year": stated([item.year for item in items]),
        "duration_s": stated([item.duration_s for item in items]),
    }


def _carriers(ids: ItemIds, rows: list[Any]) -> csr_matrix:
    listed = [orjson.loads(row[-2]) if row[-2] else [] for row in rows]
    carriers = np.repeat(np.arange(len(rows)), [len(each) for each in listed])
    seeds = item_ids(name for each in listed for name, _ in each)
    levels = np.array([level_weight(level) for each in listed for _, level in each], np.float32)
    places = np.clip(np.searchsorted(ids, seeds), 0, max(len(ids) - 1, 0))
    known = ids[places] == seeds
    shape = (len(rows), len(rows))
    return csr_matrix((levels[known], (places[known], carriers[known])), shape=shape)
