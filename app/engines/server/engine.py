"""The `SearchEngine` of a cluster. A dialect holds the differences between the products."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reelrank.app.engines.server.documents.change_log import ChangeLog
from reelrank.app.engines.server.documents.documents import (
    STORED_PROPERTIES,
    decode_document,
    encode_document,
)
from reelrank.app.engines.server.documents.live_changes import (
    LiveDocuments,
    copy_changes,
    describe_no_serving_version,
    fetch_sources,
)
from reelrank.app.engines.server.documents.serving_alias import ServingAlias
from reelrank.app.engines.server.documents.versions import BUILT_FROM, CHANGES_FROM, IndexVersions, Layout
from reelrank.app.engines.server.matcher import Dialect, ServerMatcher
from reelrank.app.engines.server.transport.bulk import ActionResult, BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.engines.server.transport.paging import read_checkpoint, scan_pages
from reelrank.index_mappings.engine import (
    IndexVersion,
    Matcher,
    NeighbourMatch,
    Rejection,
    TextMatch,
    VectorMatch,
    WriteBlock,
    WriteReport,
)
from reelrank.index_mappings.errors import EngineError, NotFound, Partial, Unavailable
from reelrank.index_mappings.fields import validate_documents
from reelrank.index_mappings.item import Document, Item, decode_item
from reelrank.index_mappings.match import Matches

READY_TIMEOUT_S = 1.0


class ServerEngine:
    """Opens nothing until used. Several processes may read and write at once."""

    def __init__(self, cluster: Cluster, dialect: Dialect, layout: Layout) -> None:
        self.cluster = cluster
        self.dialect = dialect
        self.layout = layout
        self.index_versions = IndexVersions(cluster, layout, dialect.build_items_index())
        self.alias = ServingAlias(cluster, layout)
        self.change_log = ChangeLog(cluster, f"{layout.prefix}changes")
        self.live = LiveDocuments(self.index_versions, self.alias, self.change_log)

    @property
    def name(self) -> str:
        return self.cluster.name

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        return self._serving_matcher.match_text(request, timeout_s)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        return self._serving_matcher.match_vector(request, timeout_s)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        return self._serving_matcher.match_ids(request, timeout_s)

    def at_version(self, version: str) -> Matcher:
        """Returns a matcher that also reads a version of an earlier build, which `match_text` cannot."""
        index = self.layout.index_name(version)
        return ServerMatcher(self.cluster, self.dialect, index, self.index_versions.has_words(index))

    @property
    def _serving_matcher(self) -> ServerMatcher:
        return ServerMatcher(self.cluster, self.dialect, self.layout.alias)

    def fetch(self, ids: Sequence[str], timeout_s: float) -> list[Item | None]:
        if not ids:
            return []
        deadline = time.monotonic() + timeout_s
        try:
            found = fetch_sources(self.cluster, self.layout.alias, ids, deadline, STORED_PROPERTIES)
        except NotFound as missing:
            raise Unavailable(
                describe_no_serving_version(self.layout.alias, self.name), code="no_index_version"
            ) from missing
        except Partial as partial:
            raise Partial(str(partial), _decode_items(ids, partial.partial_result)) from partial
        return _decode_items(ids, found)

    def scan(self, version: str, batch_size: int = 1000, after: str = "") -> Iterator[list[Document]]:
        self.index_versions.read_metadata(version)
        index = self.layout.index_name(version)
        self.cluster.refresh(index)
        body: dict[str, Any] = {"query": {"match_all": {}}}
        if after:
            body = body | {"search_after": [after]}
        for hits in scan_pages(self.cluster, index, body, ["id"], batch_size):
            yield [decode_document(hit["_source"]) for hit in hits]

    def read_changes(self, version: str, position: str | None) -> tuple[list[Document], str]:
        """Reads changes; the position is that of the change log.

        The log has every live change that this version may lack.
        """
        if position is None:
            meta = self.index_versions.read_metadata(version)
            position = str(meta.get(BUILT_FROM, meta[CHANGES_FROM]))  # an early build records no BUILT_FROM
        reached = read_checkpoint(self.cluster, self.change_log.index)[self.change_log.index]
        if reached <= int(position):
            return [], position
        changes = [change for page in self.change_log.scan_since(int(position)) for change in page]
        sources = (change.source for change in changes)
        return [decode_document(source) for source in sources if source is not None], str(reached)

    def create_index(self, version: str) -> None:
        self.index_versions.create(version, self.change_log.read_position())

    def write(self, version: str, batch: Sequence[Document]) -> WriteReport:
        index = self.layout.index_name(version)
        self.index_versions.require(version)
        return _write_valid_documents(
            batch, lambda good: BulkWriter(self.cluster, index).write([_build_index_action(d) for d in good])
        )

    def make_ready(self, version: str) -> None:
        self.index_versions.read_metadata(version)
        self.index_versions.prepare_serving(version)

    def promote(self, version: str) -> None:
        """Copies live changes, blocks writes to the old version to copy the last ones, and swaps the alias.

        An interrupted one leaves the old version serving, possibly with writes blocked: `find_write_block`.
        """
        start, old = self.index_versions.read_metadata(version)[CHANGES_FROM], self.serving_version()
        state = self.alias.read_state()
        last_epoch = (state.epoch if state else 0) or self._read_last_logged_epoch()
        self.index_versions.prepare_serving(version)
        if old is None or old == version:
            self.alias.swap(old, version, state, last_epoch)
            self.alias.allow_writes(version)
            return
        self.alias.allow_writes(version)  # a promotion away from it may have been interrupted
        reached = self._catch_up(old, version, start)
        self.alias.block_writes(old, version)
        try:
            reached = self._catch_up(old, version, reached)
            for name in (version, old):
                self.index_versions.record_position(name, reached)
            self.alias.swap(old, version, state, last_epoch)
        finally:
            self.alias.allow_writes(old)

    def find_write_block(self) -> WriteBlock | None:
        state = self.alias.read_state()
        if state is None or not state.is_blocked:
            return None
        return WriteBlock(self.serving_version() or "", state.epoch, state.promoted_to)

    def drop(self, version: str) -> None:
        """Drops a version and prunes the changes that no remaining version needs: another version to catch
        up with, and the serving one for `read_changes`.
        """
        self.index_versions.drop(version)
        end, serving = self.change_log.read_position(), self.serving_version()
        metas = self.index_versions.list_metadata().items()
        needed = [
            meta.get(BUILT_FROM, end) if name == serving else meta[CHANGES_FROM] for name, meta in metas
        ]
        self.change_log.prune(min(needed, default=end))

    def versions(self) -> list[IndexVersion]:
        return self.index_versions.list_versions()

    def serving_version(self) -> str | None:
        return self.index_versions.serving_version()

    def upsert(self, batch: Sequence[Document]) -> WriteReport:
        return _write_valid_documents(batch, self.live.upsert)

    def delete(self, ids: Sequence[str]) -> int:
        return self.live.delete(ids) if ids else 0

    def is_ready(self) -> bool:
        try:
            self.cluster.search(self.layout.alias, {"size": 0, "terminate_after": 1}, READY_TIMEOUT_S)
        except Partial:
            return True
        except EngineError:
            return False
        return True

    def close(self) -> None:
        self.cluster.close()

    def _read_last_logged_epoch(self) -> int:
        """Epochs continue from this one, so that new changes are later than all logged ones."""
        self.change_log.read_position()
        return self.change_log.read_last_epoch()

    def _catch_up(self, old: str, new: str, position: int) -> int:
        """Copies the live changes logged after a position. Returns the position reached.

        Read that position before the changes: every change up to it is in the log by then.
        """
        reached = self.change_log.read_position()
        copy_changes(
            self.cluster,
            self.layout.index_name(old),
            self.layout.index_name(new),
            self.change_log.scan_since(position),
        )
        self.cluster.refresh(self.layout.index_name(new))
        return reached


def _decode_items(ids: Sequence[str], found: Mapping[str, Mapping[str, Any]]) -> list[Item | None]:
    return [decode_item(found[item_id]["_source"]) if item_id in found else None for item_id in ids]


def _build_index_action(document: Document) -> BulkAction:
    return BulkAction("index", document.item.id, encode_document(document))


def _write_valid_documents(
    batch: Sequence[Document], write: Callable[[Sequence[Document]], list[ActionResult]]
) -> WriteReport:
    """Writes the valid documents. Reports those that fail validation, and those that the server rejects."""
    errors = validate_documents(batch)
    good = [document for document, error in zip(batch, errors, strict=True) if error is None]
    results = write(good) if good else []
    rejected = [Rejection(d.item.id, error) for d, error in zip(batch, errors, strict=True) if error]
    rejected += [
        Rejection(document.item.id, f"{result.error_type}: {result.reason}")
        for document, result in zip(good, results, strict=True)
        if not result.succeeded
    ]
    return WriteReport(len(batch) - len(rejected), tuple(rejected))
