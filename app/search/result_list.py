"""A ranked list: every candidate of one request in its final order, and how it was ranked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.app.search.lexical.outcome import find_full_matches
from reelrank.app.search.page import SearchOutcome
from reelrank.index_mappings.errors import Degradation
from reelrank.index_mappings.match import ID_DTYPE, ItemIds
from reelrank.index_mappings.query import Context, Filters, Query
from reelrank.ranking.column import Column
from reelrank.ranking.pipeline import Ranking
from reelrank.ranking.policies.policy import PositionChange
from reelrank.ranking.policies.team_draft import Teams
from reelrank.ranking.rankers.calibration import Calibration
from reelrank.ranking.retrieval.fusion import Candidates
from reelrank.ranking.retrieval.source_names import LEXICAL_SOURCES
from reelrank.ranking.signals.observe import Signals

CACHED_SIGNALS = 100
"""Candidates whose signals are kept with a list: the largest page, and five of the usual 20 hits. 24 kB."""
TEAM_COLUMN = "team"


@dataclass(frozen=True, slots=True)
class HomeTopics:
    """What the rows of a home page are about: the newest watch or like, and a genre; "" for none.

    is_only_liked: the item in `watched` was liked and is among no watches of the viewer.
    """

    watched: str = ""
    genre: str = ""
    is_only_liked: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ResultList:
    """All candidates of one request in the order to show, and how they were ranked.

    candidates: n of them; scores [n] float32. config_id: of the RankingConfig. signals: of the first
    candidates in their order, as observed; None when there are none. changes: what policies changed on
    purpose, with the seed that they drew with. release: that served; empty when a request named its own
    model. experiment, variant: the arm of its viewer; empty for none. search: what the text of a search
    matched. topics: of a home page whose rows were requested. calibration: turns scores into probabilities.
    teams [n]: of an interleaved list, which of `team_names` put a candidate there, -1 for neither; None for
    other lists. asked: the sources that were asked. is_cached: it was read from the cache, so an earlier part
    of it is recorded.
    """

    request_id: str
    query: Query
    candidates: Candidates
    scores: NDArray[np.float32]
    model: str
    version: str
    degraded: tuple[Degradation, ...]
    config_id: str = ""
    signals: Signals | None = None
    changes: tuple[PositionChange, ...] = ()
    release: str = ""
    search: SearchOutcome | None = None
    topics: HomeTopics = HomeTopics()
    calibration: Calibration | None = None
    seed: int = 0
    asked: tuple[str, ...] = ()
    is_cached: bool = False
    experiment: str = ""
    variant: str = ""
    teams: Teams | None = None
    team_names: tuple[str, ...] = ()

    @property
    def counted_ids(self) -> ItemIds:
        """Returns the candidates that are counted: of a search, those that have all words; if none has, those
        that match by some."""
        if self.search is None:
            return self.candidates.ids
        full = find_full_matches(self.candidates)
        return self.candidates.ids[full if full.any() else self.candidates.are_found_by(LEXICAL_SOURCES)]

    @property
    def exploration_slots(self) -> tuple[PositionChange, ...]:
        """Returns the changes that were picked at random, each with its propensity."""
        return tuple(change for change in self.changes if change.propensity is not None)

    def with_signals(self, ranking: Ranking, needs_all: bool) -> "ResultList":
        """Returns the list with the signals of its first CACHED_SIGNALS candidates, or of all."""
        order = ranking.order if needs_all else ranking.order[:CACHED_SIGNALS]
        return replace(self, signals=ranking.signals.take(order))

    def to_bytes(self) -> bytes:
        """Returns the list: about 25 bytes a candidate, and the signals of the first CACHED_SIGNALS."""
        columns = self._build_columns()
        metadata = {
            "request_id": self.request_id,
            "query": self.query,
            "sources": self.candidates.sources,
            "model": self.model,
            "version": self.version,
            "degradations": self.degraded,
            "config_id": self.config_id,
            "changes": self.changes,
            "release": self.release,
            "search": self.search,
            "calibration": self.calibration and self.calibration.model_dump(),
            "seed": self.seed,
            "asked": self.asked,
            "experiment": self.experiment,
            "variant": self.variant,
            "team_names": self.team_names,
        }
        signals = self.signals.columns if self.signals is not None else {}
        values = {name: column[:CACHED_SIGNALS] for name, column in signals.items()}
        metadata["signals"] = list(values)
        encoded = {"ranked": orjson.dumps(metadata), "signals": _encode_signals(values)}
        batch = pa.RecordBatch.from_pydict(columns, metadata=encoded)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(
            sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
        ) as writer:
            writer.write_batch(batch)
        return bytes(sink.getvalue())

    def _build_columns(self) -> dict[str, pa.Array]:
        c = self.candidates
        columns = {"id": pa.array(c.ids), "score": pa.array(self.scores), "fused": pa.array(c.fused)}
        if self.teams is not None:
            columns[TEAM_COLUMN] = pa.array(self.teams)
        for index, source in enumerate(c.sources):
            columns[f"rank {source}"] = pa.array(c.ranks[:, index])
            columns[f"score {source}"] = pa.array(c.scores[:, index])
        return columns

    @staticmethod
    def from_bytes(data: bytes) -> "ResultList":
        """Reads a list from its bytes.

        Lists that an earlier build cached lack degradations, config id and everything that stands after it.
        """
        with pa.ipc.open_stream(data) as stream:
            table = stream.read_all().combine_chunks()
        metadata = orjson.loads(table.schema.metadata[b"ranked"])
        sources = tuple(metadata["sources"])

        def stack_columns(prefix: str, dtype: type[np.generic]) -> NDArray[Any]:
            columns = [table[f"{prefix} {source}"].to_numpy() for source in sources]
            return np.column_stack(columns) if columns else np.empty((len(table), 0), dtype)

        candidates = Candidates(
            table["id"].to_numpy(zero_copy_only=False).astype(ID_DTYPE),
            table["fused"].to_numpy(),
            sources,
            stack_columns("rank", np.int32),
            stack_columns("score", np.float32),
        )
        return ResultList(
            metadata["request_id"],
            _parse_query(metadata["query"]),
            candidates,
            table["score"].to_numpy(),
            metadata["model"],
            metadata["version"],
            tuple(Degradation(**missing) for missing in metadata.get("degradations", ())),
            metadata.get("config_id", ""),
            changes=tuple(PositionChange(**change) for change in metadata.get("changes", ())),
            release=metadata.get("release", ""),
            signals=_decode_signals(metadata.get("signals", ()), table.schema.metadata.get(b"signals", b"")),
            search=_parse_outcome(metadata.get("search")),
            calibration=Calibration(**fitted) if (fitted := metadata.get("calibration")) else None,
            seed=metadata.get("seed", 0),
            asked=tuple(metadata.get("asked", ())),
            is_cached=True,
            **_read_arms(table, metadata),
        )


def _read_arms(table: pa.Table, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "experiment": metadata.get("experiment", ""),
        "variant": metadata.get("variant", ""),
        "teams": table[TEAM_COLUMN].to_numpy() if TEAM_COLUMN in table.column_names else None,
        "team_names": tuple(metadata.get("team_names", ())),
    }


def _encode_signals(columns: Mapping[str, Column]) -> bytes:
    """Returns the values of all signals, one after another."""
    return b"".join(np.ascontiguousarray(column, np.float32).tobytes() for column in columns.values())


def _decode_signals(names: Sequence[str], values: bytes) -> Signals | None:
    if not names:
        return None
    columns = np.frombuffer(values, np.float32).reshape(len(names), -1)
    return Signals(dict(zip(names, columns, strict=True)))


def _parse_outcome(fields: dict[str, Any] | None) -> SearchOutcome | None:
    if not fields:
        return None
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return SearchOutcome(**fields | lists)


def build_result_list(
    request_id: str, query: Query, version: str, config_id: str, ranking: Ranking
) -> ResultList:
    """Returns the candidates in the order to show, without their signals. version: of the index."""
    return ResultList(
        request_id,
        query,
        ranking.found.candidates.take(ranking.order),
        ranking.scores[ranking.order],
        ranking.model,
        version,
        ranking.degraded,
        config_id,
        changes=ranking.changes,
        calibration=ranking.calibration,
        seed=ranking.seed,
        asked=ranking.asked,
        teams=None if ranking.teams is None else ranking.teams[ranking.order],
        team_names=ranking.team_names,
    )


def _parse_query(fields: dict[str, Any]) -> Query:
    conditions = fields.pop("filters").items()
    filters: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in conditions}
    context = fields.pop("context")
    fields |= {name: tuple(fields[name]) for name in ("exclude", "fields") if name in fields}
    time = datetime.fromisoformat(context.pop("at"))
    return Query(**fields, filters=Filters(**filters), context=Context(at=time, **context))
