"""The `SearchEngine` over an index that somebody else made: their words and items, our vectors.

Vectors and neighbours are in index versions of our own, made from theirs by `reelrank load index`.
"""

from collections.abc import Iterator, Sequence

from reelrank.app.engines.server.engine import READY_TIMEOUT_S, ServerEngine
from reelrank.app.engines.server.external.external_index import ExternalIndex
from reelrank.index_mappings.engine import IndexVersion, NeighbourMatch, TextMatch, VectorMatch, WriteReport
from reelrank.index_mappings.errors import BadRequest, EngineError, Partial
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import Matches


class ReadOnlyEngine:
    """Words are matched in their index, and what is shown is fetched from it: so both are always current."""

    def __init__(self, own: ServerEngine, external: ExternalIndex) -> None:
        self.own = own
        self.external = external

    @property
    def name(self) -> str:
        return self.own.name

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        return self.external.match_text(request, timeout_s)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        return self.own.match_vector(request, timeout_s)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        return self.own.match_ids(request, timeout_s)

    def fetch(self, ids: Sequence[str], timeout_s: float) -> list[Item | None]:
        return self.external.fetch(ids, timeout_s)

    def scan(self, version: str, batch_size: int = 1000) -> Iterator[list[Document]]:
        return self.own.scan(version, batch_size)

    def create_index(self, version: str) -> None:
        self.own.create_index(version)

    def write(self, version: str, batch: Sequence[Document]) -> WriteReport:
        return self.own.write(version, batch)

    def promote(self, version: str) -> None:
        self.own.promote(version)

    def drop(self, version: str) -> None:
        self.own.drop(version)

    def versions(self) -> list[IndexVersion]:
        return self.own.versions()

    def serving_version(self) -> str | None:
        return self.own.serving_version()

    def upsert(self, batch: Sequence[Document]) -> WriteReport:
        """Raises BadRequest, as `delete` does: items are changed by whoever fills that index."""
        raise BadRequest(self._describe_refusal())

    def delete(self, ids: Sequence[str]) -> int:
        raise BadRequest(self._describe_refusal())

    def is_ready(self) -> bool:
        try:
            self.external.fetch(["nothing"], READY_TIMEOUT_S)
        except Partial:
            return self.own.is_ready()
        except EngineError:
            return False
        return self.own.is_ready()

    def close(self) -> None:
        self.own.close()

    def _describe_refusal(self) -> str:
        return (
            f"{self.external.index} is read only here (REELRANK_ENGINE_INDEX); change its items where they "
            "are made, then run: reelrank load index"
        )
