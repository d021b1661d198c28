"""The `SearchEngine` of a cluster. What the products differ in comes with the dialect."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from app.engines.server.bulk import Action, Bulk, Verdict
from app.engines.server.changes import Changes
from app.engines.server.cluster import Cluster
from app.engines.server.documents import document_of, item_of, source_of
from app.engines.server.live import LiveDocuments, carry_over, nothing_serves, sources
from app.engines.server.pages import pages
from app.engines.server.queries import (
    Body,
    candidates_body,
    conditions,
    cosine_matches,
    hits_asked,
    matches_of,
    neighbour_query,
    text_query,
)
from app.engines.server.versions import CHANGES_FROM, Layout, Versions
from index_mappings.engine import (
    IndexVersion,
    NeighbourMatch,
    Rejection,
    TextMatch,
    VectorMatch,
    WriteReport,
)
from index_mappings.errors import BadRequest, EngineError, NotFound, Partial, Unavailable
from index_mappings.faults import faults_of
from index_mappings.fields import VECTOR_FIELDS
from index_mappings.item import Document, Item
from index_mappings.match import Matches, no_matches

READY_S = 1.0
MatchRequest = TextMatch | VectorMatch | NeighbourMatch
Reading = Callable[[str, list[dict[str, Any]], int], Matches]
"""Source, hits and limit to matches."""


class Dialect(Protocol):
    """What the products say in different words."""

    def items_index(self) -> Mapping[str, Any]:
        """Settings and mappings of an index of items."""
        ...

    def nearest(self, request: VectorMatch, k: int, filters: list[Body]) -> Body:
        """The part of a search body that asks for the k nearest."""
        ...


class ServerEngine:
    """Opens nothing until used. Several processes may read and write at once."""

    def __init__(self, cluster: Cluster, dialect: Dialect, layout: Layout) -> None:
        self.cluster = cluster
        self.dialect = dialect
        self.layout = layout
        self.index_versions = Versions(cluster, layout, dialect.items_index())
        self.changes = Changes(cluster, f"{layout.prefix}changes")
        self.live = LiveDocuments(cluster, self.index_versions, self.changes)

    @property
    def name(self) -> str:
        return self.cluster.name

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        return self._matched(request, text_query(request), timeout_s, matches_of)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        field = VECTOR_FIELDS.get(request.field)
        if field is None or request.vector.shape != (field.size,):
            raise BadRequest(f"no vector field {request.field!r} of size {request.vector.shape}")
        if not request.vector.any():
            return no_matches(request.source)
        query = self.dialect.nearest(request, hits_asked(request.limit), conditions(request.filters))
        return self._matched(request, query, timeout_s, cosine_matches)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        if not request.seeds:
            return no_matches(request.source)
        return self._matched(request, neighbour_query(request), timeout_s, matches_of)

    def fetch(self, ids: Sequence[str], timeout_s: float) -> list[Item | None]:
        if not ids:
            return []
        until = time.monotonic() + timeout_s
        try:
            found = sources(self.cluster, self.layout.alias, ids, until, Item.__slots__)
        except NotFound as missing:
            raise Unavailable(nothing_serves(self.layout.alias, self.name)) from missing
        except Partial as partial:
            raise Partial(str(partial), _items(ids, partial.found)) from partial
        return _items(ids, found)

    def scan(self, version: str, batch_size: int = 1000) -> Iterator[list[Document]]:
        self.index_versions.meta(version)
        index = self.layout.index(version)
        self.cluster.refresh(index)
        for hits in pages(self.cluster, index, {"query": {"match_all": {}}}, ["id"], batch_size):
            yield [document_of(hit["_source"]) for hit in hits]

    def create_index(self, version: str) -> None:
        self.index_versions.create(version, self.changes.position())

    def write(self, version: str, batch: Sequence[Document]) -> WriteReport:
        index = self.layout.index(version)
        self.cluster.demand("GET", f"/{index}/_settings/index.uuid")
        return _written(batch, lambda good: Bulk(self.cluster, index).write([_index(d) for d in good]))

    def promote(self, version: str) -> None:
        """Catches up, holds the old version's writers for the last of it, and swaps the alias.

        Stopped half-way it leaves the old version serving, perhaps held: promote again.
        """
        start, old = self.index_versions.meta(version)[CHANGES_FROM], self.serving_version()
        last_turn = self.index_versions.turn() or self._last_noted_turn()
        self.index_versions.prepare(version)
        if old is None or old == version:
            self.index_versions.allow_writes(version)
            self.index_versions.swap(old, version, last_turn)
            return
        reached = self._catch_up(old, version, start)
        self.index_versions.block_writes(old)
        try:
            reached = self._catch_up(old, version, reached)
            for each in (version, old):
                self.index_versions.reach(each, reached)
            self.index_versions.allow_writes(version)
            self.index_versions.swap(old, version, last_turn)
        finally:
            self.index_versions.allow_writes(old)

    def drop(self, version: str) -> None:
        """The change log is pruned up to what every version kept beside the serving one has."""
        self.index_versions.drop(version)
        now, serving = self.changes.position(), self.serving_version()
        kept = (meta for name, meta in self.index_versions.metas().items() if name != serving)
        self.changes.prune(min((meta[CHANGES_FROM] for meta in kept), default=now))

    def versions(self) -> list[IndexVersion]:
        return self.index_versions.all()

    def serving_version(self) -> str | None:
        return self.index_versions.serving()

    def upsert(self, batch: Sequence[Document]) -> WriteReport:
        return _written(batch, self.live.upsert)

    def delete(self, ids: Sequence[str]) -> int:
        return self.live.delete(ids) if ids else 0

    def is_ready(self) -> bool:
        try:
            self.cluster.search(self.layout.alias, {"size": 0, "terminate_after": 1}, READY_S)
        except Partial:
            return True
        except EngineError:
            return False
        return True

    def close(self) -> None:
        self.cluster.close()

    def _matched(self, request: MatchRequest, query: Body, timeout_s: float, read: Reading) -> Matches:
        body = candidates_body(request.limit, query)
        try:
            hits = self.cluster.search(self.layout.alias, body, timeout_s)
        except NotFound as missing:
            raise Unavailable(nothing_serves(self.layout.alias, self.name)) from missing
        except Partial as partial:
            there = read(request.source, partial.found["hits"]["hits"], request.limit)
            raise Partial(str(partial), there) from partial
        return read(request.source, hits, request.limit)

    def _last_noted_turn(self) -> int:
        """Turns go on from there, so that changes of the first one are later than what was noted before."""
        self.changes.position()
        return self.changes.last_turn()

    def _catch_up(self, old: str, new: str, position: int) -> int:
        """Live changes noted after a position; gives the position that is covered then.

        The position is read first, and what is noted is made: so the items are read as changed.
        """
        reached = self.changes.position()
        carry_over(self.cluster, self.layout.index(old), self.layout.index(new), self.changes.since(position))
        self.cluster.refresh(self.layout.index(new))
        return reached


def _items(ids: Sequence[str], found: Mapping[str, Mapping[str, Any]]) -> list[Item | None]:
    return [item_of(found[name]["_source"]) if name in found else None for name in ids]


def _index(document: Document) -> Action:
    return Action("index", document.item.id, source_of(document))


def _written(batch: Sequence[Document], write: Callable[[Sequence[Document]], list[Verdict]]) -> WriteReport:
    """Documents that no engine can hold are rejected here; the others as the server judges them."""
    faults = faults_of(batch)
    good = [document for document, fault in zip(batch, faults, strict=True) if fault is None]
    verdicts = write(good) if good else []
    rejected = [Rejection(d.item.id, fault) for d, fault in zip(batch, faults, strict=True) if fault]
    rejected += [
        Rejection(document.item.id, f"{verdict.kind}: {verdict.reason}")
        for document, verdict in zip(good, verdicts, strict=True)
        if not verdict.done
    ]
    return WriteReport(len(batch) - len(rejected), tuple(rejected))
