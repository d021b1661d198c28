"""The loads of files: one JSON line for each that ended, for the operator pages."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from reelrank.loaders.report import FileReport
from reelrank.ranking.durable import append_line

HISTORY_FILE = "history.jsonl"
NAMED_FILES = 3


class LoadRecord(BaseModel):
    """One load. kind: items or events. files: their names. version: the index version that it made.

    rejects: name of the file of rejected rows; empty without any. problem: code of the error that refused it;
    empty for a load that ended well.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: AwareDatetime
    kind: str
    files: tuple[str, ...]
    read: int = 0
    written: int = 0
    rejected: int = 0
    seconds: float = 0.0
    version: str = ""
    rejects: str = ""
    problem: str = ""

    def add_report(self, report: FileReport) -> "LoadRecord":
        """Returns the record of a load that ended with this report."""
        names = ("read", "written", "rejected", "seconds", "version")
        changes = {name: getattr(report, name) for name in names}
        return self.model_copy(update={**changes, "rejects": report.rejects.name if report.rejects else ""})


def append_load(directory: Path, record: LoadRecord) -> None:
    """Keeps a record, durable when it returns. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    append_line(directory / HISTORY_FILE, record.model_dump_json().encode())


def read_loads(directory: Path, most: int) -> list[LoadRecord]:
    """Returns the newest records, newest first; a line that a kill cut is left out."""
    try:
        lines = (directory / HISTORY_FILE).read_bytes().splitlines()
    except OSError:
        return []
    records = list[LoadRecord]()
    for line in reversed(lines):
        try:
            records.append(LoadRecord.model_validate_json(line))
        except ValidationError:
            continue
        if len(records) == most:
            break
    return records


def name_files(paths: Sequence[str | Path]) -> tuple[str, ...]:
    """Returns the names of the first files, without folders, and how many more there are."""
    names = [Path(path).name for path in paths]
    more = (f"{len(names) - NAMED_FILES} more",) if len(names) > NAMED_FILES else ()
    return (*names[:NAMED_FILES], *more)
