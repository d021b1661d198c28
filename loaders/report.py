"""The closing report of a load from files, and its progress."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from reelrank.ranking.progress import Progress

MAX_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """Values of a field. missing: rows without one. ignored: values that could not be read.

    first_ignored: row and reason of the first of them, "" without one. samples: the first three different
    values as they are stored.
    """

    readable: int = 0
    ignored: int = 0
    first_ignored: str = ""
    missing: int = 0
    samples: tuple[Any, ...] = ()


def count_values(values: Sequence[Any], errors: Mapping[int, str] | None = None) -> ValueCounts:
    """Counts the values of rows. errors: row and reason of unreadable ones, by index."""
    errors = errors or {}
    present = [value for value in values if value not in (None, "", ())]
    samples = islice(dict.fromkeys(present), MAX_SAMPLES)
    first = min(errors.items())[1] if errors else ""
    missing = len(values) - len(present) - len(errors)
    return ValueCounts(len(present), len(errors), first, missing, tuple(map(_to_stored, samples)))


def add_counts(total: Mapping[str, ValueCounts], added: Mapping[str, ValueCounts]) -> dict[str, ValueCounts]:
    """Adds counts field by field."""
    none = ValueCounts()
    pairs = {name: (total.get(name, none), added.get(name, none)) for name in {**total, **added}}
    return {
        name: ValueCounts(
            first.readable + second.readable,
            first.ignored + second.ignored,
            first.first_ignored or second.first_ignored,
            first.missing + second.missing,
            first.samples if len(first.samples) == MAX_SAMPLES else _join_samples(first, second),
        )
        for name, (first, second) in pairs.items()
    }


def _join_samples(first: ValueCounts, second: ValueCounts) -> tuple[Any, ...]:
    added = [sample for sample in second.samples if sample not in first.samples]
    return (*first.samples, *added)[:MAX_SAMPLES]


def _to_stored(value: Any) -> Any:
    """Returns a value as an answer of the API has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class FieldReport:
    """A field: the columns that fill it, what was decided about them in words, and its values."""

    columns: tuple[str, ...]
    guess: str
    values: ValueCounts


@dataclass(frozen=True, slots=True)
class FileReport:
    """Row counts of one load; raises AssertionError unless read == written + rejected.

    kept: written rows without those that repeat an id and, for events, without those already stored.
    resumed: rows read by an earlier run of this load that was stopped.
    rejects: the reject file, None without rejects. unused: columns that filled no field.
    version: the index version that serves the items; "" for events and for a dry run.
    ignored: optional fields with values that could not be read, in rows that were written without them.
    fields: every field. notes: what the user should look at. unknown_actions: rejected events by what
    happened, where that is no kind of event.
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
    fields: Mapping[str, FieldReport] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unknown_actions: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.read != self.written + self.rejected:
            raise AssertionError(
                f"the row counts do not add up: {self.read} read, {self.written} written, "
                f"{self.rejected} rejected"
            )


def select_ignored(values: Mapping[str, ValueCounts]) -> dict[str, ValueCounts]:
    """Returns the fields with values that could not be read."""
    return {name: counts for name, counts in values.items() if counts.ignored}


def report_progress(progress: Progress, step: str, rows_read: int, done_share: float) -> None:
    """Reports the rows read so far, and a total estimated from the share of bytes read (0 to 1)."""
    progress(step, rows_read, max(rows_read, round(rows_read / done_share)) if done_share > 0 else None)
