"""Loads of catalogue files into a new index version. A load that was killed resumes where it stopped."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.engine import SearchEngine
from reelrank.loaders.fields.guesses import describe_fields
from reelrank.loaders.fields.mapped_rows import read_mapped_rows
from reelrank.loaders.files.source import SourceError
from reelrank.loaders.items.catalogue import (
    LoadRejected,
    choose_version_name,
    drop_oldest_versions,
    promote_version,
    reject_empty_load,
    reject_unreadable_fields,
    report_refusal,
    verify,
)
from reelrank.loaders.items.item_writer import ItemLoad, ItemWriter
from reelrank.loaders.items.journal import Journal, JournalEntry
from reelrank.loaders.items.summary import ColumnSummary, check_items
from reelrank.loaders.rejects import RejectFile, open_reject_file
from reelrank.loaders.report import FileReport, ValueCounts, add_counts, report_progress, select_ignored
from reelrank.ranking.distinct import sort_distinct
from reelrank.ranking.items.names.title_keys import hash_texts
from reelrank.ranking.progress import Progress, ignore_progress


def load_item_files(
    load: ItemLoad,
    engine: SearchEngine,
    encoder: TextEncoder,
    journal: Journal,
    progress: Progress = ignore_progress,
) -> FileReport:
    """Writes all valid rows into a new version, verifies and promotes it; the old one serves until then.

    If the process is killed, the next call with the same load resumes. Raises LoadRejected,
    SourceError, Conflict.
    """
    started = time.monotonic()
    with journal.lock():
        entry = _begin(load, engine, journal)
        resumed = entry.read
        try:
            with open_reject_file(Path(entry.rejects), entry.rejects_size) as rejects:
                writer = ItemWriter(load, engine, encoder, journal, rejects)
                entry, summary = writer.write(entry, progress)
                first = _describe_first(rejects)
            _verify_rows(load, (entry.read, entry.rejected), first, entry.values)
            kept = _promote(load, engine, entry)
        except (LoadRejected, SourceError):
            _abandon(engine, journal, entry)
            raise
        drop_oldest_versions(engine, load.options)
        journal.clear()
    return _report_load(entry, summary, kept, resumed, time.monotonic() - started)


def _report_load(
    entry: JournalEntry, summary: ColumnSummary, kept: int, resumed: int, seconds: float
) -> FileReport:
    return FileReport(
        entry.read,
        entry.written,
        entry.rejected,
        kept,
        seconds,
        entry.version,
        resumed,
        Path(entry.rejects) if entry.rejected else None,
        tuple(summary.unused),
        select_ignored(entry.values),
        describe_fields(summary.fields, entry.values),
        summary.list_notes(),
    )


def check_item_files(load: ItemLoad, progress: Progress = ignore_progress) -> FileReport:
    """Reads and checks every row and writes rejects to their file, but writes no items: a dry run.

    It keeps 8 bytes of each id, to count those that are repeated.
    """
    started = time.monotonic()
    read = written = 0
    summary = ColumnSummary()
    values: dict[str, ValueCounts] = {}
    ids = [np.empty(0, np.uint64)]
    with open_reject_file(load.rejects) as rejects:
        for mapped in read_mapped_rows(load.files, load.rules, styles=load.styles):
            checked = check_items(mapped)
            summary.add(mapped, checked)
            rejects.add(checked.rejects)
            values = add_counts(values, checked.values)
            read += mapped.rows.row_count
            written += len(checked.items)
            ids.append(hash_texts(item.id for item in checked.items))
            report_progress(progress, "checking items", read, mapped.done)
        first = _describe_first(rejects)
    rejected = read - written
    report = FileReport(
        read,
        written,
        rejected,
        len(sort_distinct(np.concatenate(ids))),
        time.monotonic() - started,
        rejects=load.rejects if rejected else None,
        unused=tuple(summary.unused),
        ignored=select_ignored(values),
        fields=describe_fields(summary.fields, values),
        notes=summary.list_notes(),
    )
    with report_refusal(report):
        _verify_rows(load, (read, rejected), first, values)
    return report


def _verify_rows(
    load: ItemLoad, counts: tuple[int, int], first_reject: str, values: Mapping[str, ValueCounts]
) -> None:
    """Raises LoadRejected unless the rows can be promoted. counts: rows read and rejected."""
    read, rejected = counts
    reject_empty_load(load.files, read)
    verify(load.options, read, rejected, first_reject)
    reject_unreadable_fields(values)


def _describe_first(rejects: RejectFile) -> str:
    """Names the first rejected row of this run and the reject file, for a message."""
    first = f"row {rejects.first.row}: {rejects.first.reason}" if rejects.first else "see the reject file"
    return f"{first} ({rejects.path})"


def _begin(load: ItemLoad, engine: SearchEngine, journal: Journal) -> JournalEntry:
    """Returns the journal entry of this load: the one to resume, or a new one with a new index version.

    The unfinished version of another load is dropped.
    """
    versions = {version.name: version for version in engine.versions()}
    previous = journal.read_entry()
    if previous is not None and previous.version in versions:
        if previous.key == load.key:
            return previous
        if not versions[previous.version].serving:
            engine.drop(previous.version)
    entry = JournalEntry(
        load.key, choose_version_name(list(versions), load.options.created_at), str(load.rejects)
    )
    journal.write_entry(entry)
    engine.create_index(entry.version)
    return entry


def _promote(load: ItemLoad, engine: SearchEngine, entry: JournalEntry) -> int:
    """Promotes the version unless an earlier run did so before it was killed; returns its document count."""
    if engine.serving_version() == entry.version:
        return next(v.documents for v in engine.versions() if v.serving)
    return promote_version(engine, entry.version, entry.written, load.options)


def _abandon(engine: SearchEngine, journal: Journal, entry: JournalEntry) -> None:
    if engine.serving_version() != entry.version:
        engine.drop(entry.version)
    journal.clear()
