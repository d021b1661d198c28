"""Catalogue loads: a new index version is written beside the serving one, verified, then promoted."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from reelrank.index_mappings.encoder import TextEncoder, build_item_text
from reelrank.index_mappings.engine import Rejection, SearchEngine
from reelrank.index_mappings.errors import CodedError
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.mapping import compute_index_fingerprint
from reelrank.loaders.files.content_type import describe_contents
from reelrank.loaders.files.source import SourceFile
from reelrank.loaders.report import FileReport, ValueCounts
from reelrank.ranking.progress import Progress, ignore_progress

BATCH_SIZE = 1000
"""Items encoded and written at a time."""
MAX_IGNORED_SHARE = 0.9
"""With hardly a readable value, a field was mapped to the wrong column, or its form has to be stated. A list
of series and films may have more durations such as "2 Seasons" than minutes."""
MIN_IGNORED = 20
"""Fewer unreadable values than this say nothing about a column."""


class LoadRejected(CodedError):
    """The load must not be promoted; the message says why and what to do. The old version keeps serving.

    report: of all rows, when they had been checked.
    """

    code = "load_rejected"
    report: FileReport | None = None


@contextmanager
def report_refusal(report: FileReport) -> Iterator[None]:
    """Adds the report of all rows to a LoadRejected that is raised inside."""
    try:
        yield
    except LoadRejected as rejected:
        rejected.report = report
        raise


def do_nothing(version: str) -> None:
    """Prepares nothing before a version is promoted."""


def keep_none() -> frozenset[str]:
    """Returns no version: only the newest ones are kept."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What a load does besides writing items.

    max_reject_share: a larger share of rejected rows refuses the load (REELRANK_REJECT_SHARE_MAX).

    versions_to_keep: how many versions stay, including the serving one. before_promote: prepares what
    a version needs outside the engine, such as its item table; takes the version's name. promote: makes a
    version serve; None: the engine does, without a release. list_kept_versions: versions never dropped.
    created_at: when the load began; the name of the new version states it.
    """

    max_reject_share: float = 0.05
    versions_to_keep: int = 2
    before_promote: Callable[[str], None] = do_nothing
    promote: Callable[[str], object] | None = None
    list_kept_versions: Callable[[], Collection[str]] = keep_none
    created_at: datetime = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Counts of one load: read == written + len(rejected)."""

    version: str
    read: int
    written: int
    rejected: tuple[Rejection, ...]
    seconds: float


def load_catalogue(
    items: Iterable[Item],
    engine: SearchEngine,
    encoder: TextEncoder,
    options: LoadOptions,
    progress: Progress = ignore_progress,
) -> LoadReport:
    """Loads items into a new version and promotes it. On failure the old version keeps serving."""
    documents = encode_documents(items, encoder)
    return publish(documents, engine, options, progress)


def publish(
    batches: Iterable[Sequence[Document]],
    engine: SearchEngine,
    options: LoadOptions,
    progress: Progress = ignore_progress,
    total: int | None = None,
) -> LoadReport:
    """Writes documents into a new version, verifies and promotes it, and drops the oldest versions.

    Any failure drops the new version. total: expected number of documents, for progress.
    """
    started = time.monotonic()
    version = choose_version_name([v.name for v in engine.versions()], options.created_at)
    engine.create_index(version)
    try:
        read, rejected = 0, list[Rejection]()
        for batch in batches:
            report = engine.write(version, batch)
            read += len(batch)
            rejected += report.rejected
            progress("writing the index", read, total)
        first = f"{rejected[0].id}: {rejected[0].reason}" if rejected else ""
        verify(options, read, len(rejected), first)
        promote_version(engine, version, read - len(rejected), options)
    except BaseException:
        engine.drop(version)
        raise
    drop_oldest_versions(engine, options)
    seconds = time.monotonic() - started
    return LoadReport(version, read, read - len(rejected), tuple(rejected), seconds)


def encode_documents(items: Iterable[Item], encoder: TextEncoder) -> Iterator[list[Document]]:
    """Yields batches of documents with the text vector of each item."""
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH_SIZE)):
        vectors = encoder.encode([build_item_text(item) for item in batch])
        yield [Document(item, {"text": vector}) for item, vector in zip(batch, vectors, strict=True)]


def verify(options: LoadOptions, read: int, rejected: int, first_reject: str) -> None:
    """Raises LoadRejected when nothing was read or too many rows were rejected."""
    if not read:
        raise LoadRejected("no rows were read; name a source that contains rows", code="no_rows")
    if rejected > options.max_reject_share * read:
        raise LoadRejected(
            f"{rejected} of {read} rows were rejected, more than the allowed {options.max_reject_share:.1%}. "
            f"First rejected row: {first_reject}. Correct the rows, or allow more with --reject-share-max",
            code="too_many_rejects",
        )


def reject_unreadable_fields(values: Mapping[str, ValueCounts]) -> None:
    """Raises LoadRejected when most values of a field could not be read: the column or format is wrong."""
    for name, counts in values.items():
        total = counts.readable + counts.ignored
        if counts.ignored > max(MAX_IGNORED_SHARE * total, MIN_IGNORED):
            raise LoadRejected(
                f"{counts.ignored} of {total} values of {name} cannot be read. "
                f"First: {counts.first_ignored}. Correct the values, name another column with "
                f"--map {name}=COLUMN, or leave the field empty with --map {name}=",
                code="unreadable_values",
            )


def reject_empty_load(files: Sequence[SourceFile], read: int) -> None:
    """Raises LoadRejected when no row was read; the message describes the files."""
    if not read:
        raise LoadRejected(
            f"no rows were read: {describe_contents(files)}. Name a file that contains rows", code="no_rows"
        )


def promote_version(engine: SearchEngine, version: str, written: int, options: LoadOptions) -> int:
    """Promotes a version after comparing its document count with `written`; returns the count.

    The count may be lower, since rows can repeat an id. Raises LoadRejected when it is 0 or higher.
    """
    count = next(v.documents for v in engine.versions() if v.name == version)
    if count > written or count == 0:
        raise LoadRejected(
            f"index version {version} has {count} documents after {written} were written; run the load again",
            code="load_incomplete",
        )
    options.before_promote(version)
    (options.promote or engine.promote)(version)
    return count


def drop_oldest_versions(engine: SearchEngine, options: LoadOptions) -> None:
    """Drops all versions except the serving one, the newest others, and those that a kept release names."""
    required = options.list_kept_versions()
    idle = [v.name for v in engine.versions() if not v.serving]
    for name in idle[max(options.versions_to_keep - 1, 0) :]:
        if name not in required:
            engine.drop(name)


def choose_version_name(existing: Collection[str], now: datetime) -> str:
    """Returns an unused name, items-<fingerprint>-<time>; a second version within a second gets -2."""
    stem = f"items-{compute_index_fingerprint()}-{now.astimezone(UTC):%Y%m%dT%H%M%S}"
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(existing) + 2))
    return next(name for name in names if name not in existing)
