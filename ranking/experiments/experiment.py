"""An experiment: its definition, whether it runs, and which arm a page has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from reelrank.index_mappings.errors import Conflict
from reelrank.ranking.experiments.assignment import choose_arm, draw_share
from reelrank.ranking.experiments.definition import ArmDefinition, ExperimentDefinition

Status = Literal["draft", "running", "stopped"]
LAYER_SALT = "layer"
RESOLUTION = 1e-9
"""Rounding error of shares that is no overlap."""


@dataclass(frozen=True, slots=True)
class AssignedPage:
    """What decides about a page. unit: key of its viewer, else of its session; empty for neither."""

    unit: str
    surface: str = ""
    device: str = ""
    country: str = ""


class Experiment(BaseModel):
    """offset: where its part of the layer begins; it takes the viewers whose number in the layer, in [0, 1),
    is from there on and below offset + traffic. stopped_reason: the words of the person who stopped it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    definition: ExperimentDefinition
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    stopped_at: AwareDatetime | None = None
    offset: float = Field(0.0, ge=0, lt=1)
    stopped_reason: str = ""

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def status(self) -> Status:
        if self.stopped_at is not None:
            return "stopped"
        return "draft" if self.started_at is None else "running"

    def describe(self) -> dict[str, Any]:
        """Returns an experiment as JSON values, with its name and status."""
        return {"name": self.name, "status": self.status, **self.model_dump(mode="json")}

    def start(self, now: datetime, others: Sequence["Experiment"]) -> "Experiment":
        """Returns the running experiment, with a part of its layer that no other running one has.

        Raises Conflict when it is no draft, or when the layer has no room.
        """
        if self.status != "draft":
            raise Conflict(
                f"experiment {self.name} is {self.status}; copy it under another name", "experiment_started"
            )
        offset = find_room(self.definition, others)
        return self.model_copy(update={"started_at": now, "offset": offset})

    def stop(self, now: datetime, reason: str) -> "Experiment":
        """Returns the stopped experiment. Raises Conflict unless it runs."""
        if self.status != "running":
            raise Conflict(
                f"experiment {self.name} is {self.status}, so it cannot be stopped", "experiment_not_running"
            )
        return self.model_copy(update={"stopped_at": now, "stopped_reason": reason})

    def find_arm(self, page: AssignedPage) -> ArmDefinition | None:
        """Returns the arm of a page, the first one of an interleaved page.

        None where it is excluded, or has neither viewer nor session.
        """
        definition, excluded = self.definition, self.definition.exclusions
        if not page.unit or page.unit in excluded.user_keys or page.surface in excluded.surfaces:
            return None
        if page.device in excluded.devices or page.country in excluded.countries:
            return None
        drawn = draw_share(f"{LAYER_SALT} {definition.layer}", page.unit)
        if not self.offset <= drawn < self.offset + definition.traffic:
            return None
        if definition.interleave:
            return definition.arms[0]
        return definition.arms[choose_arm(definition.salt or self.name, page.unit, definition.shares)]


def find_room(definition: ExperimentDefinition, others: Sequence[Experiment]) -> float:
    """Returns the lowest start of a free part of the layer. Raises Conflict when no part is large enough."""
    taken = sorted(
        (other.offset, other.offset + other.definition.traffic, other.name)
        for other in others
        if other.status == "running" and other.definition.layer == definition.layer
    )
    start = 0.0
    for low, high, _ in taken:
        if low - start >= definition.traffic - RESOLUTION:
            return start
        start = max(start, high)
    if 1 - start >= definition.traffic - RESOLUTION:
        return start
    names = ", ".join(name for _, _, name in taken)
    raise Conflict(
        f"layer {definition.layer} has no room for {definition.traffic:.0%} of its viewers beside {names}; "
        "use another layer, less traffic, or stop one",
        code="experiment_layer_full",
    )
