"""Off-policy estimates from the places that exploration drew: what drawing them earned or cost.

A slot is well used when its item is clicked, watched or liked on the page that showed it (`ranking.uses`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.index_mappings.event import EventKind
from reelrank.index_mappings.event_store import select_event_schema
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.items.engagements import ENGAGEMENT_KINDS, is_engagement, to_page_item_keys

Z_95 = 1.959964  # of a standard normal, leaves 2.5 % above
SlotGroup = Literal["surface", "model"]
SLOT_KINDS: tuple[EventKind, ...] = ("impression", *ENGAGEMENT_KINDS)
SLOT_COLUMNS = ("kind", "item", "request_id", "position", "propensity", "came_from", "surface", "model")
"""The kinds and fields of events that `collect_slot_outcomes` reads: what a scan needs to fetch."""


@dataclass(frozen=True, slots=True, eq=False)
class SlotOutcomes:
    """n pages, the first drawn place of each: the chance [n] of the item that was drawn, whether it is the
    one that the ranking had there, and whether it was used. surface, model: of the page, "" where its
    impressions do not state them."""

    propensity: NDArray[np.float64]
    is_as_ranked: NDArray[np.bool_]
    is_engaged: NDArray[np.bool_]
    surface: NDArray[np.object_]
    model: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.propensity)

    def split(self, by: SlotGroup) -> dict[str, "SlotOutcomes"]:
        """Returns the outcomes of each surface or model, by its name, in the order of names."""
        groups: NDArray[np.object_] = getattr(self, by)
        return {str(group): self._select(groups == group) for group in np.unique(groups)}

    def _select(self, is_selected: NDArray[np.bool_]) -> "SlotOutcomes":
        return SlotOutcomes(*(getattr(self, field.name)[is_selected] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class SlotValueEstimate:
    """Share of places that are used: as they were drawn, and as they would be with nothing drawn.

    effective: how many independent draws `as_ranked` rests on (Kish 1965); of none there is no share.
    """

    draws: int
    as_drawn: Interval
    as_ranked: Interval | None
    effective: float


def collect_slot_outcomes(batches: Iterable[pa.RecordBatch]) -> SlotOutcomes:
    """Collects the outcomes from events that have SLOT_COLUMNS.

    Only the first exploration slot of a page counts: what stands in a later one depends on it.
    """
    relevant = (batch.filter(_is_relevant(batch)).select(SLOT_COLUMNS) for batch in batches)
    kept = pa.Table.from_batches(relevant, select_event_schema(SLOT_COLUMNS))
    drawn = kept.filter(pc.is_valid(kept["propensity"])).sort_by("position")
    _, first = np.unique(drawn["request_id"].to_numpy(), return_index=True)
    drawn, deeds = drawn.take(pa.array(first)), kept.filter(is_engagement(kept))
    return SlotOutcomes(
        drawn["propensity"].to_numpy(),
        drawn["came_from"].to_numpy() == drawn["position"].to_numpy(),
        pc.is_in(to_page_item_keys(drawn), to_page_item_keys(deeds)).to_numpy(),
        drawn["surface"].to_numpy(),
        drawn["model"].to_numpy(),
    )


def estimate_slot_value(outcomes: SlotOutcomes) -> SlotValueEstimate:
    """By self-normalised inverse propensity scoring (Swaminathan & Joachims 2015). Raises ValueError
    without places."""
    if not len(outcomes):
        raise ValueError("no place was drawn")
    weights = outcomes.is_as_ranked / outcomes.propensity
    total = float(weights.sum())
    effective = total**2 / float(np.square(weights).sum()) if total else 0.0
    return SlotValueEstimate(
        len(outcomes),
        compute_wilson_interval(float(outcomes.is_engaged.mean()), len(outcomes)),
        compute_wilson_interval(float(weights @ outcomes.is_engaged) / total, effective) if total else None,
        effective,
    )


def compute_wilson_interval(share: float, sample_size: float) -> Interval:
    """95 % of a share of so many independent draws (Wilson 1927): few draws give a wide one, also where all
    or none of them were used, of which resampling would know nothing."""
    spread = Z_95**2 / sample_size
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(spread * share * (1 - share) + spread**2 / 4) / (1 + spread)
    return Interval(share, max(float(middle - half), 0.0), min(float(middle + half), 1.0))


def _is_relevant(events: pa.RecordBatch) -> pa.Array:
    """Impressions of drawn places, and deeds that name their page: a small part of all events."""
    return pc.or_(pc.is_valid(events["propensity"]), is_engagement(events))
