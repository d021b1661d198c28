"""The `SearchEngine` over an external index, which is read-only: text and items come from that index.

Vectors and neighbours are in index versions of reelrank, which `reelrank load index` builds from it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reelrank.app.engines.server.engine import READY_TIMEOUT_S, ServerEngine
from reelrank.app.engines.server.external.external_index import ExternalIndex
from reelrank.index_mappings.engine import (
    IndexVersion,
    Matcher,
    NeighbourMatch,
    TextMatch,
    VectorMatch,
    WriteBlock,
    WriteReport,
)
from reelrank.index_mappings.errors import BadRequest, EngineError, Partial
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import Matches


@dataclass(frozen=True, slots=True)
class ExternalMatcher:
    """Matches text in the external index, vectors and neighbours in one index version of reelrank."""

    external: ExternalIndex
    own: Matcher

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        return self.external.match_text(request, timeout_s)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        return self.own.match_vector(request, timeout_s)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        return self.own.match_ids(request, timeout_s)


@dataclass(frozen=True, slots=True, eq=False)
class ReadOnlyEngine(ExternalMatcher):
    """Matches text in the external index and fetches items from it, so both are always current."""

    own: ServerEngine

    @property
    def name(self) -> str:
        return self.own.name

    def at_version(self, version: str) -> Matcher:
        return ExternalMatcher(self.external, self.own.at_version(version))

    def fetch(self, ids: Sequence[str], timeout_s: float) -> list[Item | None]:
        return self.external.fetch(ids, timeout_s)

    def scan(self, version: str, batch_size: int = 1000, after: str = "") -> Iterator[list[Document]]:
        return self.own.scan(version, batch_size, after)

    def read_changes(self, version: str, position: str | None) -> tuple[list[Document], str]:
        return [], position or ""

    def create_index(self, version: str) -> None:
        self.own.create_index(version)

    def write(self, version: str, batch: Sequence[Document]) -> WriteReport:
        return self.own.write(version, batch)

    def make_ready(self, version: str) -> None:
        self.own.make_ready(version)

    def promote(self, version: str) -> None:
        self.own.promote(version)

    def find_write_block(self) -> WriteBlock | None:
        return self.own.find_write_block()

    def drop(self, version: str) -> None:
        self.own.drop(version)

    def versions(self) -> list[IndexVersion]:
        return self.own.versions()

    def serving_version(self) -> str | None:
        return self.own.serving_version()

    def upsert(self, batch: Sequence[Document]) -> WriteReport:
        """Raises BadRequest, as `delete` does: the owner of the external index changes its items."""
        raise BadRequest(self._describe_refusal(), code="read_only_index")

    def delete(self, ids: Sequence[str]) -> int:
        raise BadRequest(self._describe_refusal(), code="read_only_index")

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
            f"the index {self.external.index} (REELRANK_ENGINE_INDEX) is read-only for reelrank; change the "
            "items in that index, then run: reelrank load index"
        )
