"""What the search service asks of the outside: recording, storing events, and the config of a request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import AppendReport
from reelrank.index_mappings.query import Query
from reelrank.ranking.experiments.assignment import NO_ARM, ArmNames
from reelrank.ranking.experiments.experiment import AssignedPage
from reelrank.ranking.policies.config import RankingConfig


class Recorder(Protocol):
    """Records requests and interactions after the answer; its methods never wait."""

    def start(self) -> None:
        """Begins recording, in a thread of this process."""
        ...

    def close(self) -> None:
        """Records what waits, then ends."""
        ...

    def is_sampled(self, request_id: str) -> bool:
        """Returns whether the whole candidate group of this request will be recorded, with its signals."""
        ...

    def record(self, result_list: ResultList, page: Page) -> None:
        """Queues one part of a ranked list, as it was answered."""
        ...

    def record_interactions(self, events: Sequence[Event]) -> None:
        """Queues acknowledged events, so that dashboards can join them with impressions."""
        ...


class NoRecorder:
    """Records nothing: for a page that no person has seen."""

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def is_sampled(self, request_id: str) -> bool:
        return False

    def record(self, result_list: ResultList, page: Page) -> None:
        pass

    def record_interactions(self, events: Sequence[Event]) -> None:
        pass


class EventSink(Protocol):
    """Stores events that viewers send."""

    def append(self, events: Sequence[Event]) -> AppendReport:
        """Stores events, durable when it returns. An event sent again counts once. Raises EngineError."""
        ...


@dataclass(frozen=True, slots=True)
class Assignment:
    """How a request is ranked. arms: of its experiments. model: of its arm; empty: the one that serves.

    rival: the other ranking of an interleaved page; None for any other page.
    """

    config: RankingConfig
    arms: ArmNames = NO_ARM
    model: str = ""
    rival: "Rival | None" = None


@dataclass(frozen=True, slots=True)
class Rival:
    """The second ranking of an interleaved page. teams: names of both arms. salt: of the draft."""

    assignment: Assignment
    teams: tuple[str, str]
    salt: str


class Assigner(Protocol):
    """Chooses how each request is ranked."""

    def assign(self, query: Query, unit: str = "", release: Mapping[str, float] | None = None) -> Assignment:
        """Returns how this request is ranked. Called once a request; must not wait.

        unit: key of the viewer, else of the session; empty for neither, and for a request that takes part in
        no experiment. release: the values that the release of this request records; None: those of the
        serving one.
        """
        ...

    def find_arms(self, page: AssignedPage) -> ArmNames:
        """Returns the experiments of a page and its arm in each."""
        ...


@dataclass(frozen=True, slots=True)
class DefaultAssigner:
    """Gives every request the same config."""

    config: RankingConfig

    def assign(self, query: Query, unit: str = "", release: Mapping[str, float] | None = None) -> Assignment:
        return Assignment(self.config)

    def find_arms(self, page: AssignedPage) -> ArmNames:
        return NO_ARM


@dataclass(frozen=True, slots=True)
class ReleaseAssigner:
    """Gives every request the ranking settings of the release that serves.

    config: of the settings. stated: names of its values that the settings state; those win over the release.
    read_values: the values that the serving release records, by name.
    """

    config: RankingConfig
    stated: frozenset[str]
    read_values: Callable[[], Mapping[str, float]]

    def assign(self, query: Query, unit: str = "", release: Mapping[str, float] | None = None) -> Assignment:
        values = self.read_values() if release is None else release
        kept = frozenset((k, v) for k, v in values.items() if k not in self.stated)
        return Assignment(_apply_release(self.config, kept))

    def find_arms(self, page: AssignedPage) -> ArmNames:
        return NO_ARM


@lru_cache(maxsize=16)
def _apply_release(config: RankingConfig, values: frozenset[tuple[str, float]]) -> RankingConfig:
    return config.with_values(dict(values))
