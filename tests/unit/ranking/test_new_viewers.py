"""Training samples pages of new viewers: in a share of its own, and as they come when none is asked for."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from reelrank.index_mappings.event import DAY_MS, EVENT_SCHEMA, MINUTE_MS, Event
from reelrank.ranking.evaluation.judged_request import FEW_WATCHES
from reelrank.ranking.training.past_requests import BacktestOptions, SampledRequest, sample_requests
from reelrank.ranking.viewers.histories import Histories

VIEWERS, WATCHES = 20, 60
NEW = FEW_WATCHES + 1
"""Requests of a viewer with none to FEW_WATCHES watches before."""


@pytest.fixture(scope="module")
def histories() -> Histories:
    """Viewers who watch something new every quarter of an hour."""
    events = [
        Event(f"{viewer}-{n}", "watch", f"v{viewer:02d}", DAY_MS + 15 * MINUTE_MS * n, f"i{n}", 90, 100)
        for viewer in range(VIEWERS)
        for n in range(WATCHES)
    ]
    table = pa.Table.from_pylist([asdict(event) for event in events], EVENT_SCHEMA)
    return Histories(table.sort_by([("at_ms", "ascending"), ("id", "ascending")]))


def sample(histories: Histories, **options: float) -> list[SampledRequest]:
    window = (0, DAY_MS + 15 * MINUTE_MS * WATCHES)
    sampled = BacktestOptions(per_user=10, **options)  # type: ignore[arg-type]
    return sample_requests(histories, window, sampled, np.random.default_rng(0))


def count_new(requests: list[SampledRequest]) -> int:
    return sum(each.context.at_ms <= DAY_MS + 15 * MINUTE_MS * FEW_WATCHES for each in requests)


def test_new_viewers_have_at_least_their_share(histories: Histories) -> None:
    requests = sample(histories, requests=100, new_share=0.4)
    assert len(requests) == 100
    assert count_new(requests) == 40
    assert len({(each.user_id, each.context.at_ms) for each in requests}) == 100
    assert [each.context.at_ms for each in requests] == sorted(each.context.at_ms for each in requests)


def test_a_share_that_is_not_there_takes_all_of_them(histories: Histories) -> None:
    assert count_new(sample(histories, requests=150, new_share=0.99)) == VIEWERS * NEW


def test_without_a_share_new_viewers_come_as_often_as_they_do(histories: Histories) -> None:
    requests = sample(histories, requests=100)
    assert count_new(requests) == pytest.approx(100 * NEW / WATCHES, abs=8)


def test_a_history_that_is_asked_for_leaves_new_viewers_out(histories: Histories) -> None:
    assert count_new(sample(histories, requests=100, history=NEW)) == 0
