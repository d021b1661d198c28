"""A policy that only a config names acts in serving, in the backtest and in `/v1/rank`."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.ports import DefaultAssigner
from reelrank.app.search.service import SearchService
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.embeddings.watches import build_event_table
from reelrank.ranking.evaluation.comparison import evaluate
from reelrank.ranking.policies.config import CandidateLimits, RankingConfig
from reelrank.ranking.policies.policy import Order, PolicyResult, ScoredCandidates
from reelrank.ranking.policies.thompson import ThompsonSampling
from reelrank.ranking.training.backtest import BacktestIndex, backtest
from reelrank.ranking.training.past_requests import BacktestOptions
from tests.sample_project import build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
HOME = Query(user="u0", context=Context(NOW), limit=10)


@dataclass(frozen=True, slots=True)
class PutFirst:
    """A made-up policy: one item leads every list that holds it."""

    item_id: str

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        is_chosen = candidates.ids[order] == encode_item_ids([self.item_id])[0]
        return PolicyResult(np.concatenate([order[is_chosen], order[~is_chosen]]))


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), NOW)


@pytest.fixture(scope="module")
def config(container: Container) -> RankingConfig:
    """Puts the last item of a home page first."""
    plain = warm_service(container).serve_page(RankingOptions(HOME))
    return replace(container.config, policies=(PutFirst(plain.hits[-1].item.id), ThompsonSampling()))


@pytest.fixture(scope="module")
def service(container: Container, config: RankingConfig) -> SearchService:
    return replace(warm_service(container), assigner=DefaultAssigner(config))


def get_chosen(config: RankingConfig) -> str:
    policy = config.policies[0]
    assert isinstance(policy, PutFirst)
    return policy.item_id


def test_it_acts_on_a_served_page(service: SearchService, config: RankingConfig) -> None:
    assert service.serve_page(RankingOptions(HOME)).hits[0].item.id == get_chosen(config)


def test_it_acts_on_candidates_that_a_caller_ranks(
    container: Container, service: SearchService, config: RankingConfig
) -> None:
    client = create_app(service, WebOptions(1_000_000, container.settings.reports_dir)).test_client()
    answer = client.post("/v1/rank/current", json={"ids": ["sea1", get_chosen(config), "space1"]})
    assert answer.get_json()["ids"] == [get_chosen(config), "sea1", "space1"]


def test_it_acts_in_a_backtest_and_its_evaluation(
    container: Container, service: SearchService, config: RankingConfig
) -> None:
    table = service.refresher.state.table
    index = BacktestIndex(table, container.engine, container.encoder)
    events: pa.Table = build_event_table(container.events.scan(0, NOW_MS))
    window, options = (0, NOW_MS), BacktestOptions(config=config, history=2)
    judged = list(backtest(events, index, window, options))
    chosen = encode_item_ids([get_chosen(config)])[0]
    holding = [each for each in judged if chosen in each.candidates.ids]
    assert holding
    assert all(each.candidates.ids[each.order[0]] == chosen for each in holding)
    evaluation = evaluate(judged, "engine-order")
    assert evaluation.collect_metrics("lambdarank") != evaluation.collect_metrics("fused")


def test_equal_configs_share_an_id_and_others_do_not() -> None:
    config = RankingConfig(CandidateLimits(bm25=10), 1, (PutFirst("a"),))
    assert config.id == RankingConfig(CandidateLimits(bm25=10), 1, (PutFirst("a"),)).id
    others = (
        replace(config, limits=CandidateLimits(bm25=11)),
        replace(config, policies=(PutFirst("b"),)),
        replace(config, policies=()),
        config.without_exploration(),
    )
    assert len({config.id, *(other.id for other in others)}) == 5


def test_each_ranking_states_the_config_of_its_request(service: SearchService, config: RankingConfig) -> None:
    ranked = service.rank_matches(HOME, [], None)
    assert ranked.config_id == config.without_exploration().id
