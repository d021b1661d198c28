"""Ranks logged requests again, as of their own time, with the version and the config that served them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reelrank.app.jobs.served.logged_requests import LoggedRequests, ServedBy, build_query
from reelrank.app.jobs.served.past_state import PastCounters, PastViewers, read_past_viewers
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.state.live_items import LiveItems
from reelrank.app.wiring import Container, apply_release_settings, build_user_keys
from reelrank.index_mappings.encoder import choose_encoder
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.pipeline import Ranking
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.backtest import BacktestIndex, rank_past_request
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.query_vectors import build_request
from reelrank.ranking.viewers.request import RankingRequest


@dataclass(frozen=True, slots=True, eq=False)
class RankedAgain:
    """A logged request, and how it is ranked again in fused order."""

    row: Mapping[str, Any]
    request: RankingRequest
    ranking: Ranking
    popularity: Popularity


@dataclass(frozen=True, slots=True, eq=False)
class ServingIndex:
    """What requests are ranked with: the serving index version and its config, without exploration."""

    container: Container
    index: BacktestIndex
    config: RankingConfig
    served_by: ServedBy

    def replay(
        self, requests: LoggedRequests, lag_ms: int, viewers: PastViewers, progress: Progress
    ) -> Iterator[RankedAgain]:
        """Yields the requests in the order of time, with what had arrived lag_ms before each, or after it."""
        counters = PastCounters(self.container.events, self.index.table, lag_ms)
        for done, row in enumerate(requests.rows.to_pylist()):
            popularity = counters.advance(row["at_ms"])
            past = viewers.list_known(row["user_key"], row["at_ms"] - lag_ms)
            viewer = build_viewer(row["user_key"], past, row["at_ms"])
            request = build_request(
                build_query(row), viewer, self.index.table, self.index.encoder, self.index.synonyms
            )
            ranking = rank_past_request(request, self.index, popularity, self.config)
            yield RankedAgain(row, request, ranking, popularity)
            progress("ranking logged requests again", done + 1, len(requests.rows))

    def read_viewers(self, requests: LoggedRequests) -> PastViewers:
        keys = build_user_keys(self.container.settings)
        return read_past_viewers(self.container.events, keys, requests.rows["user_key"].unique().to_pylist())


def open_serving_index(container: Container) -> ServingIndex:
    """Opens what serves now. Raises NotFound when no index version serves."""
    version = container.engine.serving_version()
    if version is None:
        raise NotFound(
            "no index version serves; load items first: reelrank load items FILE", code="no_items_loaded"
        )
    return open_index(container, version)


def open_index(container: Container, version: str) -> ServingIndex:
    """Opens a kept index version, with the config that serves."""
    container = apply_release_settings(container)
    table = ItemTableStore(container.settings.tables_dir, container.engine).open_or_rebuild(version)
    table = LiveItems(version, len(table)).append_new(table, container.engine)
    index = BacktestIndex(
        table,
        container.engine.at_version(version),
        choose_encoder(container.encoder, version),
        synonyms=container.synonyms,
    )
    fingerprint = compute_feature_fingerprint(FEATURE_NAMES)
    return ServingIndex(
        container,
        index,
        replace(container.config, exploration_slots=0),
        ServedBy(version, container.config.id, fingerprint),
    )
