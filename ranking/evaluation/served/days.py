"""Measures of served pages by day, and the file that keeps them for the operator pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.arrow_columns import to_array
from reelrank.ranking.durable import write_file
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.served.measure import (
    ALL_SURFACES,
    ServedQuality,
    measure_explored,
    measure_slices,
)
from reelrank.ranking.evaluation.served.slot_cost import SlotCost, measure_slot_cost
from reelrank.ranking.evaluation.served.wanted import ServedPages

FILE_NAME = "served-days.json"
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class ServedDay:
    """The pages of one day in UTC as they were served. viewers: how many the intervals resample.

    measures: by name, as in `measure.MEASURES`; those without any row are left out.
    """

    day: date
    requests: int
    viewers: int
    impressions: int
    measures: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class ServedDays:
    """Days with pages, oldest first. is_simulated: there were pages of simulated viewers only.

    whole, explored: all pages, and the items of their exploration slots alone; None where there are none.
    slots: what those slots cost and earn.
    """

    measured_at: AwareDatetime
    is_simulated: bool
    days: tuple[ServedDay, ...]
    whole: ServedQuality | None = None
    explored: ServedQuality | None = None
    slots: SlotCost | None = None


_FORMAT = TypeAdapter(ServedDays)


def measure_days(pages: ServedPages, now: datetime) -> ServedDays:
    """Measures each day. Pages of simulated viewers count only where there are no others."""
    days = to_array(pages.requests["at_ms"], np.int64) // DAY_MS
    simulated = pages.find_simulated()
    is_simulated = bool(len(simulated) and simulated.all())
    counted = np.full(len(days), True) if is_simulated else ~simulated
    slices = {str(day): (days == day) & counted for day in np.unique(days).tolist()}
    whole = measure_slices(pages, {ALL_SURFACES: counted})
    return ServedDays(
        now,
        is_simulated,
        tuple(_measure(pages, slices)),
        whole[0] if whole else None,
        measure_explored(pages),
        measure_slot_cost(pages),
    )


def write_days(directory: Path, measured: ServedDays) -> None:
    """Replaces the file of a reports directory."""
    directory.mkdir(parents=True, exist_ok=True)
    write_file(directory / FILE_NAME, _FORMAT.dump_json(measured))


def read_days(directory: Path) -> ServedDays | None:
    """Reads the file of a reports directory; None without one, or with one of another build."""
    try:
        return _FORMAT.validate_json((directory / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def _measure(pages: ServedPages, slices: dict[str, NDArray[np.bool_]]) -> Sequence[ServedDay]:
    return [
        ServedDay(
            EPOCH + timedelta(days=int(quality.surface)),
            quality.requests,
            quality.viewers,
            quality.impressions,
            dict(quality.measures),
        )
        for quality in measure_slices(pages, slices)
    ]
