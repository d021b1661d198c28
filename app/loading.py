"""Loads from files: a catalogue with the item table of its version, and a history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from app.tables import Tables
from app.wiring import Parts
from index_mappings.encoder import item_text
from index_mappings.errors import BadRequest
from loaders.carried import carried
from loaders.catalogue import LoadOptions, LoadReport, publish
from loaders.event_files import EventLoad, check_event_files, load_event_files
from loaders.event_rows import LATEST
from loaders.field_map import FieldRules
from loaders.file_report import FileReport
from loaders.item_files import ItemLoad, check_item_files, load_item_files
from loaders.journal import Journal
from loaders.source import SourceFile
from ranking.progress import Progress


@dataclass(frozen=True, slots=True)
class Wanted:
    """A load as asked for. rejects, max_reject_share: None for where and what the settings say."""

    files: Sequence[SourceFile]
    rules: FieldRules
    dry_run: bool = False
    rejects: Path | None = None
    max_reject_share: float | None = None


def load_items(parts: Parts, wanted: Wanted, progress: Progress) -> FileReport:
    """A new version with its item table, keeping what was learned of items that stay."""
    tables = Tables(parts.settings.tables_dir, parts.engine)
    folding = tables.folding(parts.engine.serving_version())
    before_promote = partial(tables.build, folding=folding, progress=progress)
    options = replace(_options(parts, wanted), before_promote=before_promote)
    load = ItemLoad(wanted.files, wanted.rules, _rejects(parts, wanted, "items"), options)
    if wanted.dry_run:
        return check_item_files(load, progress)
    report = load_item_files(load, parts.engine, parts.encoder, Journal(parts.settings.loads_dir), progress)
    tables.drop_stale()
    return report


def load_index(parts: Parts, progress: Progress) -> LoadReport:
    """A new version of what is learned about the items of an index that somebody else made.

    Items that stay keep what was learned. Raises BadRequest when the settings name no such index.
    """
    if parts.theirs is None:
        raise BadRequest("name the index to read: REELRANK_ENGINE_INDEX and REELRANK_ENGINE_FIELDS")
    tables = Tables(parts.settings.tables_dir, parts.engine)
    folding = tables.folding(parts.engine.serving_version())
    before_promote = partial(tables.build, folding=folding, progress=progress)
    options = LoadOptions(parts.settings.reject_share_max, parts.settings.index_keep, before_promote)
    with carried(parts.engine, progress) as learned:
        batches = (
            learned.documents(items, list(parts.encoder.encode([item_text(item) for item in items])))
            for items in parts.theirs()
            if items
        )
        report = publish(batches, parts.engine, options, progress)
    tables.drop_stale()
    return report


def load_events(parts: Parts, wanted: Wanted, progress: Progress) -> FileReport:
    """Each event once, whatever is loaded again."""
    rejects, options = _rejects(parts, wanted, "events"), _options(parts, wanted)
    latest_ms = round((datetime.now(UTC) + LATEST).timestamp() * 1000)
    load = EventLoad(wanted.files, wanted.rules, rejects, options, latest_ms)
    if wanted.dry_run:
        return check_event_files(load, progress)
    return load_event_files(load, parts.events, progress)


def _options(parts: Parts, wanted: Wanted) -> LoadOptions:
    share = wanted.max_reject_share
    return LoadOptions(parts.settings.reject_share_max if share is None else share, parts.settings.index_keep)


def _rejects(parts: Parts, wanted: Wanted, what: str) -> Path:
    named = parts.settings.rejects_dir / f"{what}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl"
    return wanted.rejects or named
