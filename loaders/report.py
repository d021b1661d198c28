"""The closing report of a load from files, and its progress."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reelrank.ranking.progress import Progress


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """Values of an optional field. ignored: values that could not be read, so the field was left empty.

    first_ignored: row and reason of the first of them, "" without one.
    """

    readable: int = 0
    ignored: int = 0
    first_ignored: str = ""


def add_counts(total: Mapping[str, ValueCounts], added: Mapping[str, ValueCounts]) -> dict[str, ValueCounts]:
    """Adds counts field by field."""
    none = ValueCounts()
    pairs = {name: (total.get(name, none), added.get(name, none)) for name in {**total, **added}}
    return {
        name: ValueCounts(
            first.readable + second.readable,
            first.ignored + second.ignored,
            first.first_ignored or second.first_ignored,
        )
        for name, (first, second) in pairs.items()
    }


@dataclass(frozen=True, slots=True)
class FileReport:
    """Row counts of one load; raises AssertionError unless read == written + rejected.

    kept: written rows without those that repeat an id and, for events, without those already stored.
    resumed: rows read by an earlier run of this load that was stopped.
    rejects: the reject file, None without rejects. unused: columns that filled no field.
    version: the index version that serves the items; "" for events and for a dry run.
    ignored: optional fields with values that could not be read, in rows that were written without them.
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
    ignored: Mapping[str, ValueCounts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.read != self.written + self.rejected:
            raise AssertionError(
                f"the row counts do not add up: {self.read} read, {self.written} written, "
                f"{self.rejected} rejected"
            )


def report_progress(progress: Progress, step: str, rows_read: int, done_share: float) -> None:
    """Reports the rows read so far, and a total estimated from the share of bytes read (0 to 1)."""
    progress(step, rows_read, max(rows_read, round(rows_read / done_share)) if done_share > 0 else None)
