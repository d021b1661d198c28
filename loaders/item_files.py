"""Catalogue files: checked rows in, a version that serves out; a load that was killed goes on."""

import hashlib
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson

from index_mappings.encoder import TextEncoder, item_text
from index_mappings.engine import SearchEngine, WriteReport
from index_mappings.fingerprint import index_fingerprint
from index_mappings.item import FloatVector
from loaders.carried import Carried, carried
from loaders.catalogue import LoadOptions, LoadRefused, drop_oldest, refuse_nothing, serve, verify
from loaders.field_map import FieldRules
from loaders.file_report import FileReport, tell
from loaders.item_rows import CheckedItems, items_of, rejected
from loaders.journal import Entry, Journal
from loaders.mapped import Mapped, mapped_rows
from loaders.rejects import RejectFile, reject_file
from loaders.rows import Reject
from loaders.source import SourceError, SourceFile
from loaders.versions import new_version
from ranking.progress import Progress, silent

STEP = "loading items"


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
        facts = [[file.identity for file in self.files], asdict(self.rules), index_fingerprint()]
        return hashlib.sha256(orjson.dumps(facts)).hexdigest()


def load_item_files(
    load: ItemLoad, engine: SearchEngine, encoder: TextEncoder, journal: Journal, progress: Progress = silent
) -> FileReport:
    """A new version with every good row, verified and promoted; the old one serves until then.

    Killed, it goes on at the next call with the same load. Raises LoadRefused, SourceError, Conflict.
    """
    started = time.monotonic()
    with journal.held():
        entry = _begun(load, engine, journal)
        resumed = entry.read
        try:
            with reject_file(Path(entry.rejects), entry.rejects_size) as rejects:
                writing = Writing(load, engine, encoder, journal, rejects)
                entry, unused = writing.write(entry, progress)
                first = f"row {rejects.first.row}: {rejects.first.reason}" if rejects.first else "in the file"
            refuse_nothing(load.files, entry.read)
            verify(load.options, entry.read, entry.rejected, f"{first} ({entry.rejects})")
            kept = _served(load, engine, entry)
        except (LoadRefused, SourceError):
            _give_up(engine, journal, entry)
            raise
        drop_oldest(engine, load.options.keep)
        journal.end()
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


def check_item_files(load: ItemLoad, progress: Progress = silent) -> FileReport:
    """A dry run: every row is read and checked, rejected rows go to their file, and nothing is written."""
    started = time.monotonic()
    read = written = refused = 0
    unused: dict[str, None] = {}
    with reject_file(load.rejects) as rejects:
        for mapped in mapped_rows(load.files, load.rules):
            checked = checked_items(mapped, unused)
            rejects.add(checked.rejects)
            read += mapped.rows.read
            written += len(checked.items)
            refused += len(checked.rejects)
            tell(progress, "checking items", read, mapped.done)
        first = f"row {rejects.first.row}: {rejects.first.reason}" if rejects.first else ""
    refused = read - written
    refuse_nothing(load.files, read)
    verify(load.options, read, refused, f"{first} ({load.rejects})")
    where = load.rejects if refused else None
    return FileReport(
        read, written, refused, written, time.monotonic() - started, rejects=where, unused=tuple(unused)
    )


def checked_items(mapped: Mapped, unused: dict[str, None]) -> CheckedItems:
    """Also notes the columns that fill nothing."""
    if mapped.fields is None:  # rows of which none could be read
        return CheckedItems([], [], list(mapped.rows.unreadable))
    unused.update(dict.fromkeys(mapped.fields.unused))
    return items_of(mapped.rows, mapped.fields)


@dataclass(frozen=True, slots=True)
class Writing:
    """The writing of one load, piece by piece: written, then rejects kept, then noted in the journal."""

    load: ItemLoad
    engine: SearchEngine
    encoder: TextEncoder
    journal: Journal
    rejects: RejectFile

    def write(self, entry: Entry, progress: Progress) -> tuple[Entry, tuple[str, ...]]:
        """The entry when all is written, and the columns that filled nothing."""
        unused: dict[str, None] = {}
        with ExitStack() as stack:
            learned = stack.enter_context(carried(self.engine, progress))
            rows = mapped_rows(self.load.files, self.load.rules, (entry.file, entry.row))
            for mapped in rows:
                entry = self._piece(entry, mapped, learned, unused)
                self.journal.keep(entry)
                tell(progress, STEP, entry.read, mapped.done)
        progress(STEP, entry.read, entry.read)
        return entry, tuple(unused)

    def _piece(self, entry: Entry, mapped: Mapped, learned: Carried, unused: dict[str, None]) -> Entry:
        checked = checked_items(mapped, unused)
        texts: Sequence[FloatVector] = (
            list(self.encoder.encode([item_text(item) for item in checked.items])) if checked.items else []
        )
        documents = learned.documents(checked.items, texts)
        report = self.engine.write(entry.version, documents) if documents else WriteReport(0)
        rejects = sorted((*checked.rejects, *_refused(report, checked, mapped)), key=lambda r: r.row)
        self.rejects.add(rejects)
        return replace(
            entry,
            file=mapped.file,
            row=mapped.rows.last,
            read=entry.read + mapped.rows.read,
            written=entry.written + report.written,
            rejected=entry.rejected + len(rejects),
            rejects_size=self.rejects.size,
        )


def _refused(report: WriteReport, checked: CheckedItems, mapped: Mapped) -> list[Reject]:
    """The rows of the documents that the engine did not take."""
    places: dict[str, list[int]] = {}
    for item, place in zip(checked.items, checked.places, strict=True):
        places.setdefault(item.id, []).append(place)
    faults = {places[rejection.id].pop(): rejection.reason for rejection in report.rejected}
    return rejected(mapped.rows, faults)


def _begun(load: ItemLoad, engine: SearchEngine, journal: Journal) -> Entry:
    """The entry of this load: where it was killed, or a new one. What another load left is dropped."""
    there = {version.name: version for version in engine.versions()}
    before = journal.entry()
    if before is not None and before.version in there:
        if before.key == load.key:
            return before
        if not there[before.version].serving:
            engine.drop(before.version)
    entry = Entry(load.key, new_version(list(there), datetime.now(UTC)), str(load.rejects))
    journal.keep(entry)
    engine.create_index(entry.version)
    return entry


def _served(load: ItemLoad, engine: SearchEngine, entry: Entry) -> int:
    """How many documents serve; a load that was killed after it was promoted serves already."""
    if engine.serving_version() == entry.version:
        return next(v.documents for v in engine.versions() if v.serving)
    return serve(engine, entry.version, entry.written, load.options)


def _give_up(engine: SearchEngine, journal: Journal, entry: Entry) -> None:
    if engine.serving_version() != entry.version:
        engine.drop(entry.version)
    journal.end()
