"""Candidates as rows of the lake: collected a page at a time, made into columns a file at a time.

Collecting is a few numpy selections, because it shares the processor with requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.decision import RANK_PREFIX, build_candidate_schema, name_signal_column
from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.column import is_shared
from reelrank.ranking.policies.team_draft import NO_TEAM, Teams
from reelrank.ranking.retrieval.source_names import SOURCES

Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class LoggedPage:
    """One part of a ranked list, as it was answered. is_sampled: the whole group of its request is logged."""

    result_list: ResultList
    page: Page
    is_sampled: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CandidateRows:
    """n candidates of one page: positions [n] in its list, items [n], is_shown [n], scores [n].

    probabilities, propensities [n]: NaN where there are none. ranked_positions [n]: -1 where not explored.
    teams [n]: of an interleaved page, which of `team_names` put the item there; -1 for neither.
    ranks [n, s] in each of SOURCES, -1 where it did not find the item. signals [n, m] of `signal_names`.
    """

    request_id: str
    at_ms: int
    is_whole_group: bool
    positions: Positions
    items: ItemIds
    is_shown: NDArray[np.bool_]
    scores: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    propensities: NDArray[np.float32]
    ranked_positions: NDArray[np.int32]
    teams: Teams
    team_names: tuple[str, ...]
    ranks: NDArray[np.int32]
    signal_names: tuple[str, ...]
    signals: NDArray[np.float32]


def collect_candidates(logged: LoggedPage) -> CandidateRows:
    """Returns the rows of what was shown, or of all candidates of a sampled request.

    A later part of a list has rows of what it showed: the group of a sampled request is written already.
    """
    ranked = logged.result_list
    shown = np.array(sorted({hit.position for hit in logged.page.hits}), np.intp)
    is_group = logged.is_sampled and not ranked.is_cached
    positions = np.arange(len(ranked.candidates)) if is_group else shown
    is_shown = np.zeros(len(ranked.candidates), bool)
    is_shown[shown] = True
    scores = ranked.scores[positions].astype(np.float32)
    missing = np.full(len(positions), np.nan, np.float32)
    names, signals = _collect_signals(ranked, positions)
    return CandidateRows(
        ranked.request_id,
        ranked.query.context.at_ms,
        logged.is_sampled,
        positions,
        ranked.candidates.ids[positions],
        is_shown[positions],
        scores,
        missing if ranked.calibration is None else ranked.calibration.to_probabilities(scores),
        *_collect_exploration(ranked, positions),
        np.full(len(positions), NO_TEAM, np.int8) if ranked.teams is None else ranked.teams[positions],
        ranked.team_names,
        np.stack([ranked.candidates.get_source_ranks(source)[positions] for source in SOURCES], axis=1),
        names,
        signals,
    )


def build_candidate_table(rows: Sequence[CandidateRows]) -> pa.Table:
    """Returns the rows of several pages, with `at_ms` of their requests; signals that some lack are null."""
    by_names: dict[tuple[str, ...], list[CandidateRows]] = {}
    for part in rows:
        by_names.setdefault(part.signal_names, []).append(part)
    tables = [_build_table(parts, names) for names, parts in by_names.items()]
    return pa.concat_tables(tables, promote_options="default")


def _build_table(parts: Sequence[CandidateRows], names: tuple[str, ...]) -> pa.Table:
    schema, columns = build_candidate_schema(SOURCES, names), _build_fixed_columns(parts)
    ranks = np.concatenate([part.ranks for part in parts])
    for index, source in enumerate(SOURCES):
        columns[f"{RANK_PREFIX}{source}"] = pa.array(ranks[:, index], mask=ranks[:, index] < 0)
    signals = np.concatenate([part.signals for part in parts])
    for index, name in enumerate(names):
        values = np.ascontiguousarray(signals[:, index])
        columns[name_signal_column(name)] = pa.array(values, from_pandas=True)
    at_ms = _repeat([part.at_ms for part in parts], parts, pa.int64())
    rows = pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
    return rows.append_column("at_ms", at_ms)


def _build_fixed_columns(parts: Sequence[CandidateRows]) -> dict[str, pa.Array]:
    def join(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    ranked_positions = join("ranked_positions")
    return {
        "request_id": _repeat([part.request_id for part in parts], parts, pa.string()),
        "item": pa.array(join("items").astype(str).tolist(), pa.string()),
        "position": pa.array(join("positions").astype(np.int32)),
        "shown": pa.array(join("is_shown")),
        "score": pa.array(join("scores"), from_pandas=True),
        "probability": pa.array(join("probabilities"), from_pandas=True),
        "propensity": pa.array(join("propensities"), from_pandas=True),
        "ranked_position": pa.array(ranked_positions, mask=ranked_positions < 0),
        "team": pa.concat_arrays([_name_teams(part) for part in parts]),
        "is_whole_group": _repeat([part.is_whole_group for part in parts], parts, pa.bool_()),
    }


def _name_teams(part: CandidateRows) -> pa.Array:
    codes = pa.array(part.teams.astype(np.int32), mask=part.teams == NO_TEAM)
    return pa.array(part.team_names, pa.string()).take(codes)


def _repeat(values: Sequence[object], parts: Sequence[CandidateRows], arrow_type: pa.DataType) -> pa.Array:
    """Returns the value of each part for all of its rows."""
    lengths = [len(part.positions) for part in parts]
    return pa.array(values, arrow_type).take(pa.array(np.repeat(np.arange(len(parts)), lengths)))


def _collect_exploration(
    ranked: ResultList, positions: Positions
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    propensities = np.full(len(positions), np.nan, np.float32)
    ranked_positions = np.full(len(positions), -1, np.int32)
    for slot in ranked.exploration_slots:
        at = positions == slot.position
        propensities[at], ranked_positions[at] = slot.propensity, slot.ranked_position
    return propensities, ranked_positions


def _collect_signals(ranked: ResultList, positions: Positions) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Returns names and values [n, m] as observed; NaN for candidates whose signals the list does not have.

    Ranks in sources are columns of their own.
    """
    columns = ranked.signals.columns if ranked.signals is not None else {}
    names = tuple(name for name in columns if not name.startswith(RANK_PREFIX))
    values = np.full((len(positions), len(names)), np.nan, np.float32)
    if ranked.signals is None:
        return names, values
    known = positions < len(ranked.signals)
    rows = positions[known]
    for index, name in enumerate(names):
        column = columns[name]
        values[known, index] = column[0] if is_shared(column) and len(rows) else column[rows]
    return names, values
