"""A ranked list: every candidate of one request in its final order, and what it was ranked from and by."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.index_mappings.match import ID_DTYPE
from reelrank.index_mappings.query import Context, Filters, Query
from reelrank.ranking.policies.thompson import ExplorationSlot
from reelrank.ranking.retrieval.fusion import Candidates
from reelrank.ranking.signals.observe import Signals


@dataclass(frozen=True, slots=True, eq=False)
class ResultList:
    """candidates: n in the order they are shown in; scores [n] float32. signals: of the candidates in
    their order; None once the list was kept for later parts. draws: what exploration moved."""

    request_id: str
    query: Query
    candidates: Candidates
    scores: NDArray[np.float32]
    model: str
    version: str
    degraded: tuple[str, ...]
    signals: Signals | None = None
    exploration_slots: tuple[ExplorationSlot, ...] = ()

    def to_bytes(self) -> bytes:
        """Everything but the signals; about 25 bytes a candidate."""
        c = self.candidates
        columns = {
            "id": pa.array(c.ids),
            "score": pa.array(self.scores),
            "fused": pa.array(c.fused),
        }
        for place, source in enumerate(c.sources):
            columns[f"rank {source}"] = pa.array(c.ranks[:, place])
            columns[f"score {source}"] = pa.array(c.scores[:, place])
        facts = {
            "request_id": self.request_id,
            "query": self.query,
            "sources": c.sources,
            "model": self.model,
            "version": self.version,
            "degraded": self.degraded,
            "draws": self.exploration_slots,
        }
        batch = pa.RecordBatch.from_pydict(columns, metadata={"ranked": orjson.dumps(facts)})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as to:
            to.write_batch(batch)
        return bytes(sink.getvalue())

    @staticmethod
    def from_bytes(data: bytes) -> "ResultList":
        with pa.ipc.open_stream(data) as stream:
            table = stream.read_all().combine_chunks()
        facts = orjson.loads(table.schema.metadata[b"ranked"])
        sources = tuple(facts["sources"])

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
            facts["request_id"],
            _parse_query(facts["query"]),
            candidates,
            table["score"].to_numpy(),
            facts["model"],
            facts["version"],
            tuple(facts["degraded"]),
            exploration_slots=tuple(ExplorationSlot(**draw) for draw in facts.get("draws", ())),
        )


def _parse_query(fields: dict[str, Any]) -> Query:
    stated = fields.pop("filters").items()
    filters: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in stated}
    context = fields.pop("context")
    at = datetime.fromisoformat(context.pop("at"))
    return Query(**fields, filters=Filters(**filters), context=Context(at=at, **context))
