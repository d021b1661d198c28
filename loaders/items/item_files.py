"""Catalogue files: checked rows in, a version that serves out; a load that was killed goes on."""

import hashlib
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson

from reelrank.index_mappings.encoder import TextEncoder, build_item_text
from reelrank.index_mappings.engine import SearchEngine, WriteReport
from reelrank.index_mappings.fingerprint import compute_index_fingerprint
from reelrank.index_mappings.item import FloatVector
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.fields.mapped_rows import MappedRows, read_mapped_rows
from reelrank.loaders.files.rows import Reject
from reelrank.loaders.files.source import SourceError, SourceFile
from reelrank.loaders.items.catalogue import (
    LoadOptions,
    LoadRejected,
    drop_oldest_versions,
    promote_version,
    reject_empty_load,
    verify,
)
from reelrank.loaders.items.item_rows import CheckedItems, build_rejects, parse_item_rows
from reelrank.loaders.items.journal import Journal, JournalEntry
from reelrank.loaders.items.learned_fields import LearnedFieldsCache, cache_learned_fields
from reelrank.loaders.items.version_names import choose_version_name
from reelrank.loaders.rejects import RejectFile, open_reject_file
from reelrank.loaders.report import FileReport, report_progress
from reelrank.ranking.progress import Progress, ignore_progress

PROGRESS_STEP = "loading items"


@dataclass(frozen=True, slots=True)
class ItemLoad:
    """What is loaded, how it is read, and where rejected rows go."""

    files: Sequence[SourceFile]
    rules: FieldRules
    rejects: Path
    options: LoadOptions = field(default_factory=LoadOptions)

    @property
    def key(self) -> str:
        """The same for the same files, unchanged, read in the same way."""
        facts = [[file.identity for file in self.files], asdict(self.rules), compute_index_fingerprint()]
        return hashlib.sha256(orjson.dumps(facts)).hexdigest()


def load_item_files(
    load: ItemLoad,
    engine: SearchEngine,
    encoder: TextEncoder,
    journal: Journal,
    progress: Progress = ignore_progress,
) -> FileReport:
    """A new version with every good row, verified and promoted; the old one serves until then.

    Killed, it goes on at the next call with the same load. Raises LoadRefused, SourceError, Conflict.
    """
    started = time.monotonic()
    with journal.lock():
        entry = _begin(load, engine, journal)
        resumed = entry.read
        try:
            with open_reject_file(Path(entry.rejects), entry.rejects_size) as rejects:
                writing = ItemWriter(load, engine, encoder, journal, rejects)
                entry, unused = writing.write(entry, progress)
                first = f"row {rejects.first.row}: {rejects.first.reason}" if rejects.first else "in the file"
            reject_empty_load(load.files, entry.read)
            verify(load.options, entry.read, entry.rejected, f"{first} ({entry.rejects})")
            kept = _promote(load, engine, entry)
        except (LoadRejected, SourceError):
            _abandon(engine, journal, entry)
            raise
        drop_oldest_versions(engine, load.options.versions_to_keep)
        journal.clear()
    return FileReport(
        entry.read,
        entry.written,
        entry.rejected,
        kept,
        time.monotonic() - started,
        entry.version,
        resumed,
        Path(entry.rejects) if entry.rejected else None,
        unused,
    )


def check_item_files(load: ItemLoad, progress: Progress = ignore_progress) -> FileReport:
    """A dry run: every row is read and checked, rejected rows go to their file, and nothing is written."""
    started = time.monotonic()
    read = written = refused = 0
    unused: dict[str, None] = {}
    with open_reject_file(load.rejects) as rejects:
        for mapped in read_mapped_rows(load.files, load.rules):
            checked = check_items(mapped, unused)
            rejects.add(checked.rejects)
            read += mapped.rows.row_count
            written += len(checked.items)
            refused += len(checked.rejects)
            report_progress(progress, "checking items", read, mapped.done)
        first = f"row {rejects.first.row}: {rejects.first.reason}" if rejects.first else ""
    refused = read - written
    reject_empty_load(load.files, read)
    verify(load.options, read, refused, f"{first} ({load.rejects})")
    where = load.rejects if refused else None
    return FileReport(
        read, written, refused, written, time.monotonic() - started, rejects=where, unused=tuple(unused)
    )


def check_items(mapped: MappedRows, unused_columns: dict[str, None]) -> CheckedItems:
    """Also notes the columns that fill nothing."""
    if mapped.fields is None:  # rows of which none could be read
        return CheckedItems([], [], list(mapped.rows.unreadable))
    unused_columns.update(dict.fromkeys(mapped.fields.unused))
    return parse_item_rows(mapped.rows, mapped.fields)


@dataclass(frozen=True, slots=True)
class ItemWriter:
    """The writing of one load, piece by piece: written, then rejects kept, then noted in the journal."""

    load: ItemLoad
    engine: SearchEngine
    encoder: TextEncoder
    journal: Journal
    rejects: RejectFile

    def write(self, entry: JournalEntry, progress: Progress) -> tuple[JournalEntry, tuple[str, ...]]:
        """The entry when all is written, and the columns that filled nothing."""
        unused: dict[str, None] = {}
        with ExitStack() as stack:
            learned = stack.enter_context(cache_learned_fields(self.engine, progress))
            rows = read_mapped_rows(self.load.files, self.load.rules, (entry.file, entry.row))
            for mapped in rows:
                entry = self._write_piece(entry, mapped, learned, unused)
                self.journal.write_entry(entry)
                report_progress(progress, PROGRESS_STEP, entry.read, mapped.done)
        progress(PROGRESS_STEP, entry.read, entry.read)
        return entry, tuple(unused)

    def _write_piece(
        self,
        entry: JournalEntry,
        mapped: MappedRows,
        learned_fields: LearnedFieldsCache,
        unused_columns: dict[str, None],
    ) -> JournalEntry:
        checked = check_items(mapped, unused_columns)
        texts: Sequence[FloatVector] = (
            list(self.encoder.encode([build_item_text(item) for item in checked.items]))
            if checked.items
            else []
        )
        documents = learned_fields.build_documents(checked.items, texts)
        report = self.engine.write(entry.version, documents) if documents else WriteReport(0)
        rejects = sorted((*checked.rejects, *_collect_rejects(report, checked, mapped)), key=lambda r: r.row)
        self.rejects.add(rejects)
        return replace(
            entry,
            file=mapped.file_index,
            row=mapped.rows.last_row,
            read=entry.read + mapped.rows.row_count,
            written=entry.written + report.written,
            rejected=entry.rejected + len(rejects),
            rejects_size=self.rejects.size,
        )


def _collect_rejects(report: WriteReport, checked: CheckedItems, mapped: MappedRows) -> list[Reject]:
    """The rows of the documents that the engine did not take."""
    places: dict[str, list[int]] = {}
    for item, place in zip(checked.items, checked.indexes, strict=True):
        places.setdefault(item.id, []).append(place)
    faults = {places[rejection.id].pop(): rejection.reason for rejection in report.rejected}
    return build_rejects(mapped.rows, faults)


def _begin(load: ItemLoad, engine: SearchEngine, journal: Journal) -> JournalEntry:
    """The entry of this load: where it was killed, or a new one. What another load left is dropped."""
    there = {version.name: version for version in engine.versions()}
    before = journal.read_entry()
    if before is not None and before.version in there:
        if before.key == load.key:
            return before
        if not there[before.version].serving:
            engine.drop(before.version)
    entry = JournalEntry(load.key, choose_version_name(list(there), datetime.now(UTC)), str(load.rejects))
    journal.write_entry(entry)
    engine.create_index(entry.version)
    return entry


def _promote(load: ItemLoad, engine: SearchEngine, entry: JournalEntry) -> int:
    """How many documents serve; a load that was killed after it was promoted serves already."""
    if engine.serving_version() == entry.version:
        return next(v.documents for v in engine.versions() if v.serving)
    return promote_version(engine, entry.version, entry.written, load.options)


def _abandon(engine: SearchEngine, journal: Journal, entry: JournalEntry) -> None:
    if engine.serving_version() != entry.version:
        engine.drop(entry.version)
    journal.clear()
