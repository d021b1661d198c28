"""The newest drift report in a file, for the operator pages and the metrics."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from reelrank.ranking.drift.report import DriftReport
from reelrank.ranking.durable import write_file

FILE_NAME = "drift.json"


@dataclass(frozen=True, slots=True)
class KeptDrift:
    """A report. release: that it was measured for. before, now: begin and end of the compared spans."""

    measured_at: AwareDatetime
    release: str
    before: tuple[AwareDatetime, AwareDatetime]
    now: tuple[AwareDatetime, AwareDatetime]
    report: DriftReport


_FORMAT = TypeAdapter(KeptDrift)


def write_drift(directory: Path, kept: KeptDrift) -> None:
    """Replaces the file of a reports directory."""
    directory.mkdir(parents=True, exist_ok=True)
    write_file(directory / FILE_NAME, _FORMAT.dump_json(kept))


def read_drift(directory: Path) -> KeptDrift | None:
    """Reads the file of a reports directory; None without one, or with one of another build."""
    try:
        return _FORMAT.validate_json((directory / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None
