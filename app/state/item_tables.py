"""The item tables of index versions: built before a version serves, and rebuilt when one is missing."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from filelock import FileLock

from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.item import Document
from reelrank.ranking.items.fold_in import FoldIn
from reelrank.ranking.items.table import ItemTable, TableError, build_table_like, open_table
from reelrank.ranking.items.table_facts import TableFacts, read_embeddings, read_fold_in
from reelrank.ranking.progress import Progress, ignore_progress

log = structlog.get_logger("reelrank.tables")


@dataclass(frozen=True, slots=True)
class ItemTableStore:
    """Keeps one directory for each index version."""

    directory: Path
    engine: SearchEngine

    def build(
        self,
        version: str,
        fold_in: FoldIn | None,
        embeddings: str = "",
        progress: Progress = ignore_progress,
    ) -> None:
        """Builds the table from the documents that the engine has of the version.

        embeddings: the fingerprint of what the version has learned. What depends on texts alone is taken from
        the serving table if its texts are the same.
        """
        total = next((v.documents for v in self.engine.versions() if v.name == version), 0)
        batches = _report_progress(self.engine.scan(version), total, progress)
        facts = TableFacts(version, fold_in, embeddings)
        build_table_like(self._find_serving(), self.directory / version, batches, facts)

    def build_replayed(
        self, directory: Path, batches: Iterable[Sequence[Document]], fold_in: FoldIn | None
    ) -> ItemTable:
        """Builds a table of documents with what was learned up to a past time, in the given directory."""
        return build_table_like(self._find_serving(), directory, batches, TableFacts("replayed", fold_in))

    def _find_serving(self) -> Path | None:
        """Returns where the table of the serving version is, which may be missing; None without a version."""
        version = self.engine.serving_version()
        return self.directory / version if version else None

    def open_or_rebuild(self, version: str) -> ItemTable:
        """Opens the table of a version; builds it again when it is missing, damaged or of another schema.

        Fold-in parameters are kept if they can be read; else new viewers have no factors until training.
        """
        try:
            return open_table(self.directory / version)
        except TableError as error:
            problem = str(error)
        self.directory.mkdir(parents=True, exist_ok=True)
        with FileLock(self.directory / "tables.lock"):
            try:
                return open_table(self.directory / version)  # another process was first
            except TableError:
                if (self.directory / version).exists():
                    log.warning("rebuilding the item table", reason=problem)
                else:  # nobody has asked this version for its table before
                    log.info("building the item table", version=version)
                self.build(version, self.read_fold_in(version), self.read_embeddings(version))
        return open_table(self.directory / version)

    def read_fold_in(self, version: str | None) -> FoldIn | None:
        """Returns the fold-in parameters in the table of a version; None when it has none."""
        return read_fold_in(self.directory / version) if version else None

    def read_embeddings(self, version: str | None) -> str:
        """Returns the embeddings fingerprint in the table of a version; empty when it has none."""
        return read_embeddings(self.directory / version) if version else ""

    def drop_stale(self) -> None:
        """Removes the tables of versions that were dropped."""
        existing = {version.name for version in self.engine.versions()}
        for path in self.directory.glob("items-*"):
            if path.name not in existing:
                shutil.rmtree(path, ignore_errors=True)


def _report_progress(
    batches: Iterable[list[Document]], total: int, progress: Progress
) -> Iterator[list[Document]]:
    count = 0
    for batch in batches:
        yield batch
        count += len(batch)
        progress("building the item table", count, total)
