"""Off-policy estimates from the places that exploration drew: what drawing them earned or cost.

A place is well used when its item is clicked or watched on the page that showed it.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ranking.bootstrap import Interval, bootstrap_interval, weighted_interval

USED = ("click", "watch", "like")


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPlaces:
    """n places: the chance [n] of the item that was drawn, whether it is the one that the ranking had there,
    and whether it was used."""

    propensity: NDArray[np.float64]
    is_as_ranked: NDArray[np.bool_]
    is_used: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.propensity)


@dataclass(frozen=True, slots=True)
class PlaceValue:
    """Share of places that are used: as they were drawn, and as they would be with nothing drawn.

    as_ranked: None when no draw gave the item that the ranking had. effective: how many independent
    draws the second rests on (Kish 1965).
    """

    draws: int
    as_drawn: Interval
    as_ranked: Interval | None
    effective: float


def drawn_places(events: pa.Table) -> DrawnPlaces:
    """Of a table of EVENT_SCHEMA; of pages that lacked nothing."""
    is_drawn = pc.and_(pc.is_valid(events["propensity"]), pc.equal(events["degraded"], ""))
    drawn = events.filter(pc.and_(is_drawn, pc.equal(events["kind"], "impression")))
    deeds = events.filter(pc.is_in(events["kind"], pa.array(USED)))
    return DrawnPlaces(
        drawn["propensity"].to_numpy(),
        drawn["came_from"].to_numpy() == drawn["position"].to_numpy(),
        pc.is_in(_shown(drawn), _shown(deeds)).to_numpy(),
    )


def place_value(places: DrawnPlaces) -> PlaceValue:
    """By self-normalised inverse propensity scoring (Swaminathan & Joachims 2015). Raises ValueError
    without places."""
    used = places.is_used.astype(np.float64)
    weights = places.is_as_ranked / places.propensity
    total = float(weights.sum())
    return PlaceValue(
        len(places),
        bootstrap_interval(used),
        weighted_interval(used, weights) if total else None,
        total**2 / float(np.square(weights).sum()) if total else 0.0,
    )


def _shown(events: pa.Table) -> pa.ChunkedArray:
    """An item on a page, as one word each."""
    return pc.binary_join_element_wise(events["request_id"], events["item"], " ")
