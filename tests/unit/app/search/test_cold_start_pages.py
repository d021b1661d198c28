"""The home page of a viewer without a past is in the order of popularity, unless its model is proven."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.wiring import Container, build_release_manager, warm_service
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.match import Matches
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.items.popularity.half_lives import find_half_life
from reelrank.ranking.policies.cold_start import FIRST_PAGE
from reelrank.ranking.rankers.manifest import ColdStart, read_manifest, write_manifest
from tests.sample_project import add_model, build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
PROVEN, UNPROVEN = "proven", "unproven"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    parts = build_project(tmp_path_factory.mktemp("cold"), NOW)
    for model in (PROVEN, UNPROVEN):
        add_model(parts, model, 1)
    directory = parts.registry.find_directory(PROVEN)
    proven = ColdStart(order="model", pages=40, viewers=40)
    write_manifest(directory, read_manifest(directory).model_copy(update={"cold_start": proven}))
    parts.events.append(
        [
            Event("l1", "like", "liked", NOW_MS - 9, "sea1"),
            Event("s1", "search", "searched", NOW_MS - 9, text="sea"),
            Event("i1", "impression", "saw", NOW_MS - 9, "sea1", position=1),
        ]
    )
    return replace(parts, config=parts.config.without_exploration())


def rank(parts: Container, model: str, user: str | None = None, text: str | None = None) -> list[str]:
    """Returns the ids of a page in the order of a release with this model."""
    build_release_manager(parts).promote_model(model)
    options = RankingOptions(Query(text=text, user=user, context=Context(NOW), limit=24))
    ranked = warm_service(parts).rank_query(options, StageTimings())
    return [item.decode() for item in ranked.candidates.ids.tolist()]


@pytest.mark.parametrize("user", [None, "never-seen", "saw"])
def test_a_strangers_page_is_in_the_order_of_popularity(parts: Container, user: str | None) -> None:
    assert measure_disorder(parts, rank(parts, UNPROVEN, user)[:FIRST_PAGE]) == 0
    assert measure_disorder(parts, rank(parts, PROVEN, user)[:FIRST_PAGE]) > 0


def measure_disorder(parts: Container, page: list[str]) -> int:
    """Counts the items that are more popular than the one before them."""
    state = warm_service(parts).refresher.state
    rows = state.table.find_rows(np.array([item.encode() for item in page], "S64"))
    column = find_half_life(parts.config.popular_half_life_days)
    shares = state.activity.popularity.compute_shares(rows)[:, column]
    return int(np.count_nonzero(np.diff(shares) > 1e-9))


@pytest.mark.parametrize("user", ["u0", "liked", "searched"])
def test_the_model_ranks_for_viewers_with_a_past(parts: Container, user: str) -> None:
    assert rank(parts, UNPROVEN, user) == rank(parts, PROVEN, user)


def test_searches_of_strangers_are_ranked_as_before(parts: Container) -> None:
    assert rank(parts, UNPROVEN, text="story") == rank(parts, PROVEN, text="story")


def test_candidates_of_the_caller_are_ordered_alike(parts: Container) -> None:
    build_release_manager(parts).promote_model(UNPROVEN)
    ids = np.array([b"sea1", b"space3", b"sea7", b"space9"], "S64")
    matches = Matches("mine", ids, np.arange(4, 0, -1).astype(np.float32))
    service = warm_service(parts)
    ranked = service.rank_matches(Query(context=Context(NOW)), [matches], None)
    assert measure_disorder(parts, [item.decode() for item in ranked.candidates.ids.tolist()]) == 0


def test_a_model_of_an_earlier_build_states_nothing(parts: Container) -> None:
    directory = parts.registry.find_directory(UNPROVEN)
    assert read_manifest(directory).cold_start is None
    assert "cold_start" not in (directory / "manifest.json").read_text()
