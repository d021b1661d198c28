"""Catalogues: items in, a new index version beside the serving one, verified, then promoted."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import ClassVar

from reelrank.index_mappings.encoder import TextEncoder, build_item_text
from reelrank.index_mappings.engine import Rejection, SearchEngine
from reelrank.index_mappings.item import Document, Item
from reelrank.loaders.files.content_type import describe_contents
from reelrank.loaders.files.source import SourceFile
from reelrank.loaders.items.version_names import choose_version_name
from reelrank.ranking.progress import Progress, ignore_progress

BATCH_SIZE = 1000


class LoadRejected(Exception):
    """A load that must not be promoted: what was found, and what to do. The old version keeps serving."""

    code: ClassVar[str] = "load_rejected"


def do_nothing(version: str) -> None:
    """A version needs nothing beside what the engine holds."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """max_reject_share: above it the load is refused. keep: versions kept, the serving one among them.

    before_promote: what a version needs beside the engine before it serves, given its name.
    """

    max_reject_share: float = 0.05
    versions_to_keep: int = 2
    before_promote: Callable[[str], None] = do_nothing


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of what was read: read == written + len(rejected), always."""

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
    """The whole load. Any failure drops the new version and leaves the old one serving."""
    documents = encode_documents(items, encoder)
    return publish(documents, engine, options, progress)


def publish(
    batches: Iterable[Sequence[Document]],
    engine: SearchEngine,
    options: LoadOptions,
    progress: Progress = ignore_progress,
    total: int | None = None,
) -> LoadReport:
    """Writes documents into a new version, verifies and promotes it, and drops the oldest ones."""
    started = time.monotonic()
    version = choose_version_name([v.name for v in engine.versions()], datetime.now(UTC))
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
    drop_oldest_versions(engine, options.versions_to_keep)
    seconds = time.monotonic() - started
    return LoadReport(version, read, read - len(rejected), tuple(rejected), seconds)


def encode_documents(items: Iterable[Item], encoder: TextEncoder) -> Iterator[list[Document]]:
    """Batches of documents with the text vector of each item."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH_SIZE)):
        vectors = encoder.encode([build_item_text(item) for item in batch])
        yield [Document(item, {"text": vector}) for item, vector in zip(batch, vectors, strict=True)]


def verify(options: LoadOptions, read: int, rejected: int, first_reject: str) -> None:
    """Raises LoadRefused when nothing was read or too much of it was rejected. first: the first reject."""
    if not read:
        raise LoadRejected("nothing was read; name a source that holds rows")
    if rejected > options.max_reject_share * read:
        raise LoadRejected(
            f"{rejected} of {read} rows were rejected, more than {options.max_reject_share:.1%}; "
            f"the first is {first_reject}. Correct them, or allow a larger share"
        )


def reject_empty_load(files: Sequence[SourceFile], read: int) -> None:
    """Raises LoadRefused when no row was read, with what the files hold instead."""
    if not read:
        raise LoadRejected(f"nothing was read: {describe_contents(files)}. Name a source that holds rows")


def promote_version(engine: SearchEngine, version: str, written: int, options: LoadOptions) -> int:
    """Promotes a version that holds what was written; how many documents that is. Raises LoadRefused."""
    held = next(v.documents for v in engine.versions() if v.name == version)
    if held > written or held == 0:
        raise LoadRejected(f"{version} holds {held} documents after {written} were written; load again")
    options.before_promote(version)
    engine.promote(version)
    return held


def drop_oldest_versions(engine: SearchEngine, versions_to_keep: int) -> None:
    """Drops all versions but the serving one and the newest others, `keep` in all."""
    idle = [v.name for v in engine.versions() if not v.serving]
    for name in idle[max(versions_to_keep - 1, 0) :]:
        engine.drop(name)
