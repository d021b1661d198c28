"""Counts of exploration slots and of positions, from which follows how often an item should have been used.

A slot counts when its attribution window is over: a use may come until then. Counts decay like those of
impressions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.index_mappings.event import MINUTE_MS
from reelrank.ranking.arrow_columns import to_floats
from reelrank.ranking.items.engagements import list_page_item_keys
from reelrank.ranking.items.popularity.exposures import DecayedCounts, Rows, Times
from reelrank.ranking.items.popularity.posterior import CTR_PRIOR_CLICKS, CTR_PRIOR_IMPRESSIONS
from reelrank.ranking.items.popularity.slot_rates import (
    CELLS,
    Floats,
    SlotRates,
    fit_slot_rates,
    locate_cells,
)

WINDOW_MS = 10 * MINUTE_MS
"""Attribution window of a slot: that of plays (`labels/attribution.py`)."""
POSITIONS = 100
"""Positions that are counted apart. Those behind count with the last, unknown ones apart."""
MIN_KNOWN = 0.1
"""Share of the uses that must state a position. A choice."""
MAX_WAITING = 200_000
"""Slots that may wait for their window; older ones count at once. A choice: 60 MB."""
COUNTS = {
    "slot_shown": CELLS,
    "slot_used": CELLS,
    "position_shown": POSITIONS + 1,
    "position_used": POSITIONS + 1,
}


class WaitingSlot(NamedTuple):
    """A slot whose attribution window is not over."""

    cell: int
    at_ms: int
    weight: float
    used: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CountedEvents:
    """n events of one batch that count: its rows [n], weights [n] and times [n]."""

    batch: pa.RecordBatch
    rows: Rows
    weights: Floats
    at_ms: Times

    def select(self, mask: NDArray[np.bool_]) -> "CountedEvents":
        return CountedEvents(self.batch, self.rows[mask], self.weights[mask], self.at_ms[mask])

    def read(self, name: str) -> Floats:
        """Returns the values [n] of a column of numbers; NaN where there is none."""
        return to_floats(self.batch.column(name).take(pa.array(self.rows)))

    def find(self, name: str, text: str) -> NDArray[np.bool_]:
        """Returns in which rows [n] a column is this text."""
        found = pc.equal(self.batch.column(name).take(pa.array(self.rows)), text)
        return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)

    def list_keys(self) -> list[str]:
        """Returns "request_id item_id" of each row."""
        return list_page_item_keys(self.batch, self.rows)


class SlotCounts(DecayedCounts):
    """Counts by cell and by position. rates: of the cells, by what has been counted.

    One thread adds; any thread may read the rates.
    """

    def __init__(self) -> None:
        super().__init__(COUNTS)
        self.newest_ms = 0
        self._waiting: dict[str, WaitingSlot] = {}
        self.rates = self._fit()

    def add_impressions(self, events: CountedEvents, ages_days: Floats) -> Floats:
        """Counts impressions of items of these ages [n]; returns the uses that were expected of them [n]."""
        positions, is_slot = _clip_positions(events), np.isfinite(events.read("propensity"))
        expected = self.compute_position_rates()[positions]
        self._add("position_shown", positions, events)
        if is_slot.any():
            slots = events.select(is_slot)
            offsets = slots.read("came_from") - slots.read("position")
            cells = locate_cells(slots.find("surface", "similar"), offsets, ages_days[is_slot])
            expected[is_slot] = self.rates.rates[cells]
            columns = (values.tolist() for values in (cells, slots.at_ms, slots.weights))
            for key, *slot in zip(slots.list_keys(), *columns, strict=True):
                self._waiting[key] = WaitingSlot(*slot)
        return np.asarray(expected * events.weights)

    def add_uses(self, events: CountedEvents) -> None:
        """Counts uses: of their position, and of their slot if its window is not over."""
        self._add("position_used", _clip_positions(events), events)
        if not self._waiting:
            return
        for key, at_ms in zip(events.list_keys(), events.at_ms.tolist(), strict=True):
            if (slot := self._waiting.get(key)) and at_ms - slot.at_ms <= WINDOW_MS:
                self._waiting[key] = slot._replace(used=True)

    def settle(self) -> None:
        """Counts the slots whose window is over, and fits the rates again if there are any."""
        surplus, begin_ms = len(self._waiting) - MAX_WAITING, self.newest_ms - WINDOW_MS
        over = [
            key
            for number, (key, slot) in enumerate(self._waiting.items())
            if number < surplus or slot.at_ms < begin_ms
        ]
        if not over:
            return
        cells, at_ms, weights, used = map(np.array, zip(*map(self._waiting.pop, over), strict=True))
        self.add("slot_shown", cells, at_ms, weights)
        self.add("slot_used", cells, at_ms, weights * used)
        self.rates = self._fit()

    def compute_position_rates(self) -> Floats:
        """Returns the uses of an impression at each position [POSITIONS + 1], smoothed by that of all.

        Uses that state no position are spread over those that do; where too few do, all positions are alike.
        """
        used, shown = self._read("position_used"), self._read("position_shown")
        total, known = float(used.sum()), float(used[:POSITIONS].sum())
        overall = (total + CTR_PRIOR_CLICKS) / (float(shown.sum()) + CTR_PRIOR_IMPRESSIONS)
        if known < MIN_KNOWN * total:
            return np.full(POSITIONS + 1, min(overall, 1.0))
        spread = used * (total / known if known else 1.0) + CTR_PRIOR_IMPRESSIONS * overall
        spread[POSITIONS] = overall * (shown[POSITIONS] + CTR_PRIOR_IMPRESSIONS)
        return np.asarray(np.minimum(spread / (shown + CTR_PRIOR_IMPRESSIONS), 1.0))

    def list_waiting(self) -> list[tuple[str, int, int, float, bool]]:
        """Returns the slots whose window is not over, the oldest first."""
        return [(key, *slot) for key, slot in self._waiting.items()]

    def wait_for(self, slots: Iterable[Sequence[Any]]) -> None:
        """Waits for what `list_waiting` returned, in place of what is waited for now, and fits the rates."""
        self._waiting = {key: WaitingSlot(*slot) for key, *slot in slots}
        self.rates = self._fit()

    def _add(self, name: str, rows: Rows, events: CountedEvents) -> None:
        self.newest_ms = int(events.at_ms.max(initial=self.newest_ms))
        self.add(name, rows, events.at_ms, events.weights)

    def _read(self, name: str) -> Floats:
        return np.asarray(self.counts[name] * self.compute_unit(self.newest_ms))

    def _fit(self) -> SlotRates:
        return fit_slot_rates(self._read("slot_shown"), self._read("slot_used"))


def _clip_positions(events: CountedEvents) -> Rows:
    """Returns the positions [n]: the last one for those behind it, POSITIONS for unknown ones."""
    positions = events.read("position")
    known = np.minimum(np.nan_to_num(positions), POSITIONS - 1).astype(np.intp)
    return np.where(np.isfinite(positions), known, POSITIONS)
