"""Which files count: the manifest of a date, and the position up to which events are exported.

A file in an open date counts from the moment it is there. Compaction writes new files and then replaces the
manifest of the date: `files` are the compacted ones, `merged` those whose rows are in them. A compacted file
counts only when the manifest names it, any other file only when `merged` does not. So one atomic write moves
a date from the old files to the new, and a late file counts at once.

Exported events are committed by `events/_position.json`: for each run of the exporter, how many of its files
count. Readers ignore files of a killed run beyond that number, and they are removed by the next run.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta

from reelrank.index_mappings.decision import EVENTS, LAKE_VERSION
from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.event import DAY_MS, HOUR_MS
from reelrank.loaders.lake.storage import DATA_SUFFIX, LakeStorage, StoredFile

MANIFEST, POSITION = "_manifest.json", "_position.json"
COMPACTED = "compacted"
"""The writer in the names of compacted files."""
FILE_PATTERN = re.compile(r"(?P<writer>[a-z0-9]+)-(?P<seq>\d+)\.parquet")
FOLDER_PATTERN = re.compile(r"(?P<table>\w+)/date=(?P<date>\d{4}-\d\d-\d\d)/hour=(?P<hour>\d\d)")
FIRST_DATE, LAST_DATE = date(1, 1, 2), date(9999, 12, 30)
"""Rows of other times, which clients can send, are in the folder of the nearest of these."""


@dataclass(frozen=True, slots=True, order=True)
class Folder:
    """A folder of data files: one hour of an open date, or hour 0 of a closed one."""

    table: str
    date: date
    hour: int = 0

    @property
    def path(self) -> str:
        return f"{format_date_folder(self.table, self.date)}/hour={self.hour:02d}"


@dataclass(frozen=True, slots=True)
class DateManifest:
    """The commit of one table and date. revision: 0 before the first compaction, then one more for each.

    files: names of compacted files to their rows. merged: paths, below the date, of files whose rows are in
    them and which may be there still. compacted_s: when, in seconds since 1970.
    """

    revision: int = 0
    files: Mapping[str, int] = field(default_factory=dict)
    merged: Sequence[str] = ()
    compacted_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EventPosition:
    """How far events are exported. position: of the event store; None at the start. events: how many.

    runs: run of the exporter to the number of its files that count.
    """

    position: str | None = None
    events: int = 0
    runs: Mapping[str, int] = field(default_factory=dict)


def find_folder(table: str, at_ms: int, open_from: date) -> Folder:
    """Returns the folder of a row. open_from: the first date that is open; hours of earlier ones are 0."""
    days, ms = divmod(at_ms, DAY_MS)
    first, last = (_count_days(FIRST_DATE), _count_days(LAST_DATE))
    day = date(1970, 1, 1) + timedelta(days=min(max(days, first), last))
    return Folder(table, day, ms // HOUR_MS if open_from <= day < LAST_DATE else 0)


def find_open_date(now: datetime) -> date:
    """Returns the first open date: yesterday until an hour after midnight (UTC), then today.

    Pages that were answered before midnight are written within a minute.
    """
    return (now.astimezone(UTC) - timedelta(hours=1)).date()


def parse_folder(path: str) -> Folder | None:
    """Returns the folder of a path below the lake; None for any other path."""
    match = FOLDER_PATTERN.fullmatch(path)
    if match is None:
        return None
    return Folder(match["table"], date.fromisoformat(match["date"]), int(match["hour"]))


def format_date_folder(table: str, day: date) -> str:
    return f"{table}/date={day.isoformat()}"


def read_manifest(storage: LakeStorage, table: str, day: date) -> DateManifest:
    """Reads the manifest of a date; an empty one when it was never compacted."""
    document = storage.read_json(f"{format_date_folder(table, day)}/{MANIFEST}")
    if document is None:
        return DateManifest()
    with _check_document(storage, document):
        return DateManifest(
            int(document["revision"]),
            {str(name): int(rows) for name, rows in document["files"].items()},
            tuple(map(str, document["merged"])),
            float(document["compacted_s"]),
        )


def write_manifest(storage: LakeStorage, table: str, day: date, manifest: DateManifest) -> None:
    """Commits a date."""
    document = {"schema_version": LAKE_VERSION, **asdict(manifest)}
    storage.write_json(f"{format_date_folder(table, day)}/{MANIFEST}", document)


def read_position(storage: LakeStorage) -> EventPosition:
    """Reads how far events are exported."""
    document = storage.read_json(f"{EVENTS}/{POSITION}")
    if document is None:
        return EventPosition()
    with _check_document(storage, document):
        runs = {str(run): int(files) for run, files in document["runs"].items()}
        position = document["position"]
        return EventPosition(None if position is None else str(position), int(document["events"]), runs)


def write_position(storage: LakeStorage, position: EventPosition) -> None:
    """Commits an export."""
    storage.write_json(f"{EVENTS}/{POSITION}", {"schema_version": LAKE_VERSION, **asdict(position)})


def select_committed(
    files: Iterable[StoredFile], manifest: DateManifest, position: EventPosition
) -> list[StoredFile]:
    """Returns the files of one table and date that count, in the order of their paths.

    position: of the table of events; its runs are ignored for other tables.
    """
    merged = set(manifest.merged)
    return [file for file in files if _is_committed(file, manifest, merged, position)]


def _is_committed(
    file: StoredFile, manifest: DateManifest, merged: set[str], position: EventPosition
) -> bool:
    folder, match = parse_folder(file.folder), FILE_PATTERN.fullmatch(file.name)
    if folder is None or match is None:
        return False
    if match["writer"] == COMPACTED:
        return file.name in manifest.files
    if folder.table == EVENTS and int(match["seq"]) >= position.runs.get(match["writer"], 0):
        return False
    return shorten_path(file) not in merged


def shorten_path(file: StoredFile) -> str:
    """Returns the path of a file below its date."""
    return "/".join(file.path.split("/")[-2:])


def compute_revision(files: Iterable[StoredFile]) -> str:
    """Returns a text that changes whenever other files count; files never change under a name."""
    names = "\n".join(sorted(f"{file.path} {file.size}" for file in files))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def name_file(folder: Folder, writer: str, seq: int) -> str:
    """Returns the path of a data file below the lake."""
    return f"{folder.path}/{writer}-{seq:06d}{DATA_SUFFIX}"


@contextmanager
def _check_document(storage: LakeStorage, document: Mapping[str, object]) -> Iterator[None]:
    """Raises BadRequest for another version, and for a value that the block cannot read."""
    version = document.get("schema_version")
    if version != LAKE_VERSION:
        raise BadRequest(
            f"{storage.url} has schema version {version!r}; this build reads {LAKE_VERSION}; upgrade it",
            code="lake_version_unknown",
        )
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRequest(
            f"a manifest of the lake at {storage.url} is damaged ({error!r})", code="lake_manifest_damaged"
        ) from error


def _count_days(day: date) -> int:
    return (day - date(1970, 1, 1)).days
