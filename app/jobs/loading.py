"""Loads files: a catalogue as a new release, and a history of events."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial, reduce
from pathlib import Path

import structlog

from reelrank.app.clock import to_ms
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.state.unknown_items import describe_unknown_items, find_unknown_items
from reelrank.app.wiring import Container, build_release_manager
from reelrank.index_mappings.encoder import build_item_text
from reelrank.index_mappings.errors import BadRequest, CodedError
from reelrank.loaders.events.event_files import EventLoad, check_event_files, load_event_files
from reelrank.loaders.events.event_rows import MAX_CLOCK_SKEW
from reelrank.loaders.fields.field_map import FieldMap, FieldRules
from reelrank.loaders.fields.mapped_rows import survey_columns
from reelrank.loaders.fields.survey import ColumnStyles
from reelrank.loaders.files.rows import Rows
from reelrank.loaders.files.source import SourceFile
from reelrank.loaders.items.catalogue import LoadOptions, LoadReport, publish
from reelrank.loaders.items.item_files import check_item_files, load_item_files
from reelrank.loaders.items.item_writer import ItemLoad
from reelrank.loaders.items.journal import Journal
from reelrank.loaders.items.learned_fields import cache_learned_fields
from reelrank.loaders.load_history import LoadRecord, append_load, name_files
from reelrank.loaders.report import FileReport
from reelrank.ranking.progress import Progress

log = structlog.get_logger("reelrank.loads")


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """The options of a load. rejects_path, max_reject_share: None for the values of the settings.

    styles: of columns, from `survey_files`; None surveys them.
    """

    files: Sequence[SourceFile]
    rules: FieldRules
    dry_run: bool = False
    rejects_path: Path | None = None
    max_reject_share: float | None = None
    styles: ColumnStyles | None = None


def survey_files(
    container: Container, request: LoadRequest, needs_no_map: Callable[[Rows], bool] | None = None
) -> tuple[LoadRequest, FieldMap | None]:
    """Reads all files once; returns the request with what their columns tell, and the mapping.

    The mapping is None for records that need none, and without rows.
    """
    rules = _state_latest_date(container, request.rules)
    survey = survey_columns(request.files, rules, needs_no_map)
    return replace(request, rules=rules, styles=survey.styles), survey.fields


def load_items(container: Container, request: LoadRequest, progress: Progress) -> FileReport:
    """Loads items into a new index version and promotes it. Items that remain keep their learned fields."""
    options = _build_options(container, request)
    rules, rejects = (
        _state_latest_date(container, request.rules),
        _choose_rejects_path(container, request, "items"),
    )
    load = ItemLoad(request.files, rules, rejects, options, request.styles)
    if request.dry_run:
        return check_item_files(load, progress)
    load = replace(load, options=_build_item_options(container, options, progress))
    journal = Journal(container.settings.loads_dir)
    with _record_load(container, request, "items") as reports:
        report = load_item_files(load, container.engine, container.encoder, journal, progress)
        reports.append(report)
    _forget_dropped_versions(container)
    return report


def load_index(container: Container, progress: Progress) -> LoadReport:
    """Reads an existing, read-only index into a new version that holds the learned fields of its items.

    Items that remain keep their learned fields. Raises BadRequest when the settings name no such index.
    """
    if container.scan_foreign_items is None:
        raise BadRequest(
            "no index to read is configured; set REELRANK_ENGINE_INDEX and REELRANK_ENGINE_FIELDS",
            code="engine_not_configured",
        )
    options = LoadOptions(
        container.settings.reject_share_max,
        container.settings.index_keep,
        created_at=container.clock.now(),
    )
    options = _build_item_options(container, options, progress)
    with cache_learned_fields(container.engine, progress) as learned:
        batches = (
            learned.build_documents(
                items, list(container.encoder.encode([build_item_text(item) for item in items]))
            )
            for items in container.scan_foreign_items()
            if items
        )
        report = publish(batches, container.engine, options, progress)
    _forget_dropped_versions(container)
    return report


def load_events(container: Container, request: LoadRequest, progress: Progress) -> FileReport:
    """Loads events. An event that was loaded before counts once."""
    rejects, options = _choose_rejects_path(container, request, "events"), _build_options(container, request)
    latest_ms = to_ms(container.clock.now() + MAX_CLOCK_SKEW)
    rules = _state_latest_date(container, request.rules)
    check_items = partial(describe_items_of_events, container)
    load = EventLoad(request.files, rules, rejects, options, latest_ms, request.styles, check_items)
    if request.dry_run:
        return check_event_files(load, progress)
    with _record_load(container, request, "events") as reports:
        reports.append(load_event_files(load, container.events, progress))
    return reports[0]


@contextmanager
def _record_load(container: Container, request: LoadRequest, kind: str) -> Iterator[list[FileReport]]:
    """Keeps how a load ended, also when it was refused. A full disk must not undo what was loaded."""
    reports, files = list[FileReport](), name_files([file.name for file in request.files])
    problem = ""
    try:
        yield reports
    except CodedError as error:
        problem = error.code  # its text may hold values of a row
        raise
    finally:
        record = LoadRecord(at=container.clock.now(), kind=kind, files=files, problem=problem)
        try:
            append_load(container.settings.loads_dir, reduce(LoadRecord.add_report, reports, record))
        except OSError as error:
            log.warning("the load is not recorded", reason=str(error))


def describe_items_of_events(container: Container, events_by_item: Mapping[str, int]) -> list[str]:
    """Returns a note about events of items that the catalogue does not hold; none before one is loaded."""
    version = container.engine.serving_version()
    if version is None:
        return []
    table = ItemTableStore(container.settings.tables_dir, container.engine).open_or_rebuild(version)
    unknown = find_unknown_items(events_by_item, table, container.engine)
    return [describe_unknown_items(unknown, sum(events_by_item.values()))] if unknown else []


def _build_item_options(container: Container, options: LoadOptions, progress: Progress) -> LoadOptions:
    """Adds promotion with the serving model, whose embeddings the new version keeps."""
    tables = ItemTableStore(container.settings.tables_dir, container.engine)
    releases = build_release_manager(container)
    embeddings = releases.read_serving_embeddings()
    fold_in = tables.read_fold_in(container.engine.serving_version())
    return replace(
        options,
        before_promote=lambda version: tables.build(version, fold_in, embeddings, progress),
        promote=lambda version: releases.promote_version(version, "load"),
        list_kept_versions=releases.list_kept_versions,
    )


def _forget_dropped_versions(container: Container) -> None:
    build_release_manager(container).forget_dropped_versions()
    ItemTableStore(container.settings.tables_dir, container.engine).drop_stale()


def _state_latest_date(container: Container, rules: FieldRules) -> FieldRules:
    """Returns rules with the last day of next year as the latest date, unless they state another."""
    if rules.latest_date is not None:
        return rules
    return replace(rules, latest_date=date(container.clock.now().year + 1, 12, 31))


def _build_options(container: Container, request: LoadRequest) -> LoadOptions:
    share = request.max_reject_share
    return LoadOptions(
        container.settings.reject_share_max if share is None else share,
        container.settings.index_keep,
        created_at=container.clock.now(),
    )


def _choose_rejects_path(container: Container, request: LoadRequest, kind: str) -> Path:
    default = container.settings.rejects_dir / f"{kind}-{container.clock.now():%Y%m%dT%H%M%S%f}.jsonl"
    return request.rejects_path or default
