"""The definition of an experiment: what is compared, on whom, and what decides."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reelrank.index_mappings.event import USER_ACTIONS, EventKind
from reelrank.ranking.experiments.measurement.metrics import METRICS
from reelrank.ranking.policies.config import MAX_SLOTS, RankingConfig

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
"""No blank: the experiments of a page are joined by blanks."""
MODEL_PATTERN = r"^([A-Za-z0-9][A-Za-z0-9_-]{0,99})?$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
MAX_ARMS = 8
SHARE_TOLERANCE = 1e-9
BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(RankingConfig().to_values(), (0, 1000)),
    "exploration_slots": (0, MAX_SLOTS),
    "similar_exploration_slots": (0, MAX_SLOTS),
    "popular_half_life_days": (1, 3650),
    "diversity": (0, 1),
    "contextual_exploration": (0, 1),
    "random_exploration_share": (0, 1),
}
"""Values that an arm may set, as a release records them, and their bounds."""
NOT_INTERLEAVED = (
    "exploration_slots", "similar_exploration_slots", "contextual_exploration", "random_exploration_share",
    "popular_half_life_days",
)  # fmt: skip
"""Values that the arms of an interleaved page share: it is retrieved once, and explored after the merge."""
INTERLEAVED = "interleaved"
"""The variant of an interleaved page, which has both arms."""
ExperimentSurface = Literal["home", "search", "similar"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArmDefinition(_Part):
    """One way of ranking. The first arm of an experiment is the one that the others are compared with."""

    name: Name
    share: float = Field(gt=0, lt=1, description="Share of the experiment's viewers.")
    config: dict[str, int | float] = Field(
        {}, description=f"Ranking values that differ from those that serve: {', '.join(BOUNDS)}."
    )
    model: str = Field("", pattern=MODEL_PATTERN, description="Model to rank by; empty: the one that serves.")

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        for name, value in self.config.items():
            if name not in BOUNDS:
                raise ValueError(f"config: there is no value {name!r}; there are {', '.join(BOUNDS)}")
            low, high = BOUNDS[name]
            if not low <= value <= high:
                raise ValueError(f"config.{name}: {value} is not between {low} and {high}")
        return self


class Exclusions(_Part):
    """Pages and viewers that are left out: they get what serves, and are not analysed."""

    surfaces: tuple[ExperimentSurface, ...] = ()
    devices: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    user_keys: tuple[str, ...] = Field((), description="Keys of viewers, as in the lake; no user ids.")


class Conversion(_Part):
    """A viewer converts by an event of this kind within so many hours of their first page."""

    kind: EventKind = Field("like", json_schema_extra={"enum": list(USER_ACTIONS)})
    window_hours: float = Field(24, gt=0, le=24 * 28)

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.kind not in USER_ACTIONS:
            raise ValueError(f"conversion.kind: {self.kind} is no action; use {', '.join(USER_ACTIONS)}")
        return self


class Guardrail(_Part):
    """A measure that must not get worse by more than a share of the control's."""

    metric: str = Field(json_schema_extra={"enum": list(METRICS)})
    loss: float = Field(0.02, gt=0, lt=1, description="Loss, as a share, from which on the arm is harmful.")


class ExperimentDefinition(_Part):
    """What a person states. salt: draws the arms; the name where it is empty."""

    name: Name
    hypothesis: str = Field(min_length=10, max_length=1000, description="What is expected, and why.")
    salt: str = Field("", max_length=100)
    layer: Name = Field("default", description="Experiments of one layer never share a viewer.")
    traffic: float = Field(1.0, gt=0, le=1, description="Share of the layer's viewers.")
    exclusions: Exclusions = Exclusions()
    interleave: bool = Field(
        False, description="Merge the rankings of both arms into each page; no viewer has one arm alone."
    )
    arms: tuple[ArmDefinition, ...] = Field(min_length=2, max_length=MAX_ARMS)
    primary: str = Field(
        "watch_s_per_viewer",
        description=f"The measure that decides: {', '.join(METRICS)}.",
        json_schema_extra={"enum": list(METRICS)},
    )
    guardrails: tuple[Guardrail, ...] = ()
    conversion: Conversion = Conversion()
    planned_days: int = Field(14, ge=1, le=90, description="When the fixed-horizon interval may be read.")
    smallest_effect: float = Field(
        0.02, gt=0, lt=1, description="The smallest lift, as a share, that would matter."
    )

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ValueError("arms: a name is repeated; give each arm its own")
        if abs(sum(arm.share for arm in self.arms) - 1) > SHARE_TOLERANCE:
            raise ValueError(f"arms: the shares add up to {sum(arm.share for arm in self.arms):g}, not to 1")
        for name in (self.primary, *(guardrail.metric for guardrail in self.guardrails)):
            if name not in METRICS:
                raise ValueError(f"there is no measure {name!r}; there are {', '.join(METRICS)}")
        return self

    @model_validator(mode="after")
    def _check_interleaving(self) -> Self:
        if not self.interleave:
            return self
        if len(self.arms) != 2 or self.arms[0].share != self.arms[1].share:
            raise ValueError("arms: an interleaved experiment has two, with a share of 0.5 each")
        if INTERLEAVED in (arm.name for arm in self.arms):
            raise ValueError(
                f"arms: {INTERLEAVED!r} is the variant of a page that has both; choose another name"
            )
        for arm in self.arms:
            if shared := [name for name in NOT_INTERLEAVED if name in arm.config]:
                raise ValueError(
                    f"arms: {shared[0]} cannot differ on one page; give each viewer one arm instead"
                )
        defaults = type(self).model_fields
        for name in ("primary", "guardrails", "conversion"):
            if getattr(self, name) != defaults[name].default:
                raise ValueError(f"{name}: interleaving measures which arm's items are used; leave it out")
        return self

    def name_variant(self, arm: ArmDefinition) -> str:
        """Returns the variant of a page that has this arm, as decisions and events record it."""
        return INTERLEAVED if self.interleave else arm.name

    @property
    def shares(self) -> tuple[float, ...]:
        return tuple(arm.share for arm in self.arms)
