"""Off-policy estimates from exploration slots: the engagement rate with and without exploration.

An engagement is a click, watch or like of an item on the page that showed it (`ranking.items.engagements`).
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
from reelrank.ranking.evaluation.intervals import Interval, count_effective
from reelrank.ranking.items.engagements import ENGAGEMENT_KINDS, is_engagement, to_page_item_keys

Z_95 = 1.959964
"""The 97.5 % quantile of the standard normal distribution, for two-sided 95 % intervals."""
SlotGroup = Literal["surface", "model", "release"]
SLOT_KINDS: tuple[EventKind, ...] = ("impression", *ENGAGEMENT_KINDS)
SLOT_COLUMNS = (
    "kind", "item", "request_id", "position", "propensity", "came_from", "surface", "model", "release",
)  # fmt: skip
"""The kinds and fields of events that `collect_slot_outcomes` reads: what a scan needs to fetch."""


@dataclass(frozen=True, slots=True, eq=False)
class SlotOutcomes:
    """The first exploration slots of n pages.

    propensity [n]: probability with which the shown item was picked. is_as_ranked [n]: whether it is the
    item that the ranking put there. is_engaged [n]: whether a viewer engaged with it.
    surface, model, release [n]: of the page, "" where its impressions do not state them.
    """

    propensity: NDArray[np.float64]
    is_as_ranked: NDArray[np.bool_]
    is_engaged: NDArray[np.bool_]
    surface: NDArray[np.object_]
    model: NDArray[np.object_]
    release: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.propensity)

    def split(self, by: SlotGroup) -> dict[str, "SlotOutcomes"]:
        """Returns the outcomes of each surface, model or release, by its name, in the order of names."""
        groups: NDArray[np.object_] = getattr(self, by)
        return {str(group): self._select(groups == group) for group in np.unique(groups)}

    def _select(self, is_selected: NDArray[np.bool_]) -> "SlotOutcomes":
        return SlotOutcomes(*(getattr(self, field.name)[is_selected] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class SlotValueEstimate:
    """Engagement rates of exploration slots.

    draws: number of slots. as_drawn: with the picked items. as_ranked: an estimate with the items of the
    ranking, None if no pick was the ranking's item. effective: effective sample size of `as_ranked`
    (Kish 1965).
    """

    draws: int
    as_drawn: Interval
    as_ranked: Interval | None
    effective: float


def collect_slot_outcomes(batches: Iterable[pa.RecordBatch]) -> SlotOutcomes:
    """Collects the outcomes from events that have SLOT_COLUMNS.

    Only the first exploration slot of a page counts, because later picks depend on it.
    """
    relevant = (batch.filter(_is_relevant(batch)).select(SLOT_COLUMNS) for batch in batches)
    events = pa.Table.from_batches(relevant, select_event_schema(SLOT_COLUMNS))
    impressions = events.filter(pc.is_valid(events["propensity"])).sort_by("position")
    _, first = np.unique(impressions["request_id"].to_numpy(), return_index=True)
    slots, engagements = impressions.take(pa.array(first)), events.filter(is_engagement(events))
    return SlotOutcomes(
        slots["propensity"].to_numpy(),
        slots["came_from"].to_numpy() == slots["position"].to_numpy(),
        pc.is_in(to_page_item_keys(slots), to_page_item_keys(engagements)).to_numpy(),
        slots["surface"].to_numpy(),
        slots["model"].to_numpy(),
        slots["release"].to_numpy(),
    )


def estimate_slot_value(outcomes: SlotOutcomes) -> SlotValueEstimate:
    """Estimates engagement rates by self-normalised inverse propensity scoring (Swaminathan & Joachims 2015).

    Raises ValueError without exploration slots.
    """
    if not len(outcomes):
        raise ValueError(
            "no exploration slot was shown in this period; turn exploration on, or choose more days"
        )
    weights = outcomes.is_as_ranked / outcomes.propensity
    total = float(weights.sum())
    effective = count_effective(weights)
    return SlotValueEstimate(
        len(outcomes),
        compute_wilson_interval(float(outcomes.is_engaged.mean()), len(outcomes)),
        compute_wilson_interval(float(weights @ outcomes.is_engaged) / total, effective) if total else None,
        effective,
    )


def compute_wilson_interval(share: float, sample_size: float) -> Interval:
    """Returns the 95 % Wilson score interval (Wilson 1927) of a share of independent trials.

    Unlike a bootstrap interval it is wide for few trials even if all or none succeeded.
    """
    spread = Z_95**2 / sample_size
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(spread * share * (1 - share) + spread**2 / 4) / (1 + spread)
    return Interval(share, max(float(middle - half), 0.0), min(float(middle + half), 1.0))


def _is_relevant(events: pa.RecordBatch) -> pa.Array:
    """Returns which events are impressions of exploration slots or engagements, a small part of them."""
    return pc.or_(pc.is_valid(events["propensity"]), is_engagement(events))
