"""What became of the rows of a load from files."""

from dataclasses import dataclass
from pathlib import Path

from reelrank.ranking.progress import Progress


@dataclass(frozen=True, slots=True)
class FileReport:
    """read == written + rejected, always; a report that does not add up cannot be made.

    kept: of the written, those that are there now: without rows that repeat an id, and for events
    without those that were there before. resumed: of the read, those a killed load had accounted for.
    version: the index version that serves them; "" for events and for a dry run.
    """

    read: int
    written: int
    rejected: int
    kept: int
    seconds: float
    version: str = ""
    resumed: int = 0
    rejects: Path | None = None
    unused: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.read != self.written + self.rejected:
            raise AssertionError(
                f"{self.read} rows read are not {self.written} written and {self.rejected} rejected"
            )


def report_progress(progress: Progress, step: str, rows_read: int, done_share: float) -> None:
    """Rows so far, of as many as there will be if the rest of the bytes holds rows of the same size."""
    progress(step, rows_read, max(rows_read, round(rows_read / done_share)) if done_share > 0 else None)
