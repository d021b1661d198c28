"""RankingConfig: everything about the ranking of one request that may differ between requests.

To add a policy, write it in a file of this package and put it into a config's `policies`; serving, the
backtest and `/v1/rank` then apply it. A policy that picks at random goes last: a later one would move
its items, and their propensities would be wrong.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from reelrank.ranking.policies.policy import Order, PolicyResult, ScoredCandidates

ID_DIGITS = 12


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


@dataclass(frozen=True, slots=True)
class RankingConfig:
    """exploration_slots: most positions of a page that policies may fill at random. policies: applied in
    their order."""

    limits: CandidateLimits = CandidateLimits()
    exploration_slots: int = 0
    policies: tuple[Policy, ...] = ()

    @property
    def id(self) -> str:
        """The same for equal configs, in every process."""
        return _hash_config(self)

    def without_exploration(self) -> "RankingConfig":
        """Turns exploration off, for rankings that no viewer sees and for degraded pages."""
        return replace(self, exploration_slots=0)


@lru_cache(maxsize=64)
def _hash_config(config: RankingConfig) -> str:
    return hashlib.sha256(repr(config).encode()).hexdigest()[:ID_DIGITS]
