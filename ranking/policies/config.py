"""RankingConfig: everything about the ranking of one request that may differ between requests.

To add a policy, write it in a file of this package and put it into a config's `policies`; serving, the
backtest and `/v1/rank` then apply it. A policy that picks at random goes last: a later one would move
its items, and their propensities would be wrong.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Protocol

from reelrank.index_mappings.query import QueryKind
from reelrank.ranking.items.popularity.half_lives import DEFAULT_HALF_LIFE_DAYS
from reelrank.ranking.policies.policy import Order, PolicyResult, ScoredCandidates
from reelrank.ranking.rankers.blending import NOT_BLENDED, BlendWeights

ID_DIGITS = 12
EXPLORATION_SLOTS, DIVERSITY = "exploration_slots", "diversity"
SIMILAR_EXPLORATION_SLOTS = "similar_exploration_slots"
CONTEXTUAL_EXPLORATION = "contextual_exploration"
RANDOM_EXPLORATION_SHARE = "random_exploration_share"
MAX_SLOTS = 10
"""Slots of a page of a hundred items, the longest: one in ten."""
POPULAR_HALF_LIFE = "popular_half_life_days"
WEIGHT_LAMBDARANK, WEIGHT_POINTWISE = "weight_lambdarank", "weight_pointwise"
NAMED_AS_SETTINGS = frozenset(
    {
        POPULAR_HALF_LIFE, DIVERSITY, SIMILAR_EXPLORATION_SLOTS, WEIGHT_LAMBDARANK, WEIGHT_POINTWISE,
        CONTEXTUAL_EXPLORATION, RANDOM_EXPLORATION_SHARE,
    }
)  # fmt: skip
"""Values whose settings have the same names."""
LEARNED_VALUES = frozenset({POPULAR_HALF_LIFE})
"""Values that a training run chooses."""


@dataclass(frozen=True, slots=True)
class CandidateLimits:
    """Most candidates of each source; 0 turns a source off."""

    title: int = 50
    bm25: int = 300
    text_knn: int = 200
    factors: int = 300
    neighbours: int = 200
    session: int = 150
    recent: int = 100
    popular: int = 150
    fresh: int = 100

    def limit_of(self, source: str) -> int:
        limit: int = getattr(self, source)
        return limit


class Policy(Protocol):
    """A rule that reorders scored candidates.

    Policies are frozen dataclasses: their parameters are part of the config's id.
    """

    def apply(self, order: Order, candidates: ScoredCandidates, config: "RankingConfig") -> PolicyResult:
        """Returns the order to show. `order` is best first by score, or as the previous policy left it."""
        ...


class RandomPolicy:
    """Marks policies that pick at random. They are applied to the merged list of an interleaved page."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class RankingConfig:
    """Limits, slots and policies of one request.

    exploration_slots: most positions of a page that policies may fill at random. policies: applied in
    their order. popular_half_life_days: of the `popular` source; a training run chooses it. diversity: 0 to
    1, how much a home page avoids similar items. blend: weights of the models whose scores are blended.
    similar_exploration_slots: most of them on a page of similar items. contextual_exploration: whether their
    picks depend on the page. random_exploration_share: of the requests, whose picks depend on nothing.
    """

    limits: CandidateLimits = CandidateLimits()
    exploration_slots: int = 0
    policies: tuple[Policy, ...] = ()
    popular_half_life_days: int = DEFAULT_HALF_LIFE_DAYS
    diversity: float = 0.0
    blend: BlendWeights = NOT_BLENDED
    similar_exploration_slots: int = MAX_SLOTS
    contextual_exploration: bool = False
    random_exploration_share: float = 0.0

    def to_values(self) -> dict[str, float]:
        """Returns the limits and the other numbers by name, as a release records them."""
        return {
            **asdict(self.limits),
            EXPLORATION_SLOTS: self.exploration_slots,
            SIMILAR_EXPLORATION_SLOTS: self.similar_exploration_slots,
            POPULAR_HALF_LIFE: self.popular_half_life_days,
            DIVERSITY: self.diversity,
            WEIGHT_LAMBDARANK: self.blend.lambdarank,
            WEIGHT_POINTWISE: self.blend.pointwise,
            CONTEXTUAL_EXPLORATION: self.contextual_exploration,
            RANDOM_EXPLORATION_SHARE: self.random_exploration_share,
        }

    def with_values(self, values: Mapping[str, float]) -> "RankingConfig":
        """Returns the config with these values; names that this build does not know are ignored."""
        known = {name: int(value) for name, value in values.items() if name in asdict(self.limits)}
        return replace(
            self,
            limits=replace(self.limits, **known),
            exploration_slots=int(values.get(EXPLORATION_SLOTS, self.exploration_slots)),
            popular_half_life_days=int(values.get(POPULAR_HALF_LIFE, self.popular_half_life_days)),
            diversity=float(values.get(DIVERSITY, self.diversity)),
            blend=BlendWeights(
                float(values.get(WEIGHT_LAMBDARANK, self.blend.lambdarank)),
                float(values.get(WEIGHT_POINTWISE, self.blend.pointwise)),
            ),
            similar_exploration_slots=int(
                values.get(SIMILAR_EXPLORATION_SLOTS, self.similar_exploration_slots)
            ),
            contextual_exploration=bool(values.get(CONTEXTUAL_EXPLORATION, self.contextual_exploration)),
            random_exploration_share=float(
                values.get(RANDOM_EXPLORATION_SHARE, self.random_exploration_share)
            ),
        )

    def count_slots(self, kind: QueryKind) -> int:
        """Returns the most exploration slots of a page of this kind.

        Searches have none: viewers who type know what they want.
        """
        if kind == "similar":
            return min(self.exploration_slots, self.similar_exploration_slots)
        return self.exploration_slots if kind == "home" else 0

    @property
    def id(self) -> str:
        """Returns the id of the config, which is the same for equal configs in every process."""
        return _hash_config(self)

    def without_exploration(self) -> "RankingConfig":
        """Turns exploration off, for rankings that no viewer sees and for degraded pages."""
        return replace(self, exploration_slots=0)


@lru_cache(maxsize=64)
def _hash_config(config: RankingConfig) -> str:
    return hashlib.sha256(repr(config).encode()).hexdigest()[:ID_DIGITS]
