"""Writes the rows of catalogue files into an index version, so that a killed load can resume."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from reelrank.index_mappings.encoder import TextEncoder, build_item_text
from reelrank.index_mappings.engine import SearchEngine, WriteReport
from reelrank.index_mappings.item import FloatVector
from reelrank.index_mappings.mapping import compute_index_fingerprint
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.fields.mapped_rows import MappedRows, read_mapped_rows
from reelrank.loaders.fields.survey import ColumnStyles
from reelrank.loaders.files.rows import Reject
from reelrank.loaders.files.source import SourceFile
from reelrank.loaders.items.catalogue import LoadOptions
from reelrank.loaders.items.item_rows import CheckedItems, build_rejects
from reelrank.loaders.items.journal import Journal, JournalEntry
from reelrank.loaders.items.learned_fields import LearnedFieldsCache, cache_learned_fields
from reelrank.loaders.items.summary import ColumnSummary, check_items
from reelrank.loaders.rejects import RejectFile
from reelrank.loaders.report import add_counts, report_progress
from reelrank.ranking.progress import Progress

PROGRESS_STEP = "loading items"


@dataclass(frozen=True, slots=True)
class ItemLoad:
    """A load of catalogue files. rejects: path of the reject file. styles: of columns; None surveys them."""

    files: Sequence[SourceFile]
    rules: FieldRules
    rejects: Path
    options: LoadOptions
    styles: ColumnStyles | None = None

    @property
    def key(self) -> str:
        """Returns a hash of the files' identities, the mapping rules and the index fingerprint."""
        parts = [[file.identity for file in self.files], asdict(self.rules), compute_index_fingerprint()]
        return hashlib.sha256(orjson.dumps(parts)).hexdigest()


@dataclass(frozen=True, slots=True)
class ItemWriter:
    """Writes a load piece by piece: first the items, then the rejects, then the journal entry."""

    load: ItemLoad
    engine: SearchEngine
    encoder: TextEncoder
    journal: Journal
    rejects: RejectFile

    def write(self, entry: JournalEntry, progress: Progress) -> tuple[JournalEntry, ColumnSummary]:
        """Writes all remaining rows; returns the final entry and what was done with columns."""
        load, summary = self.load, ColumnSummary()
        with ExitStack() as stack:
            learned_fields = stack.enter_context(cache_learned_fields(self.engine, progress))
            start = (entry.file, entry.row)
            for mapped in read_mapped_rows(load.files, load.rules, start, styles=load.styles):
                checked = check_items(mapped)
                summary.add(mapped, checked)
                entry = self._write_piece(entry, mapped, checked, learned_fields)
                self.journal.write_entry(entry)
                report_progress(progress, PROGRESS_STEP, entry.read, mapped.done)
        progress(PROGRESS_STEP, entry.read, entry.read)
        return entry, summary

    def _write_piece(
        self,
        entry: JournalEntry,
        mapped: MappedRows,
        checked: CheckedItems,
        learned_fields: LearnedFieldsCache,
    ) -> JournalEntry:
        text_vectors: Sequence[FloatVector] = (
            list(self.encoder.encode([build_item_text(item) for item in checked.items]))
            if checked.items
            else []
        )
        documents = learned_fields.build_documents(checked.items, text_vectors)
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
            values=add_counts(entry.values, checked.values),
        )


def _collect_rejects(report: WriteReport, checked: CheckedItems, mapped: MappedRows) -> list[Reject]:
    """Returns rejects for the documents that the engine rejected."""
    indexes: dict[str, list[int]] = {}
    for item, index in zip(checked.items, checked.indexes, strict=True):
        indexes.setdefault(item.id, []).append(index)
    errors = {indexes[rejection.id].pop(): rejection.reason for rejection in report.rejected}
    return build_rejects(mapped.rows, errors)
