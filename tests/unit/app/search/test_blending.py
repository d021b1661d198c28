"""Two models blended by the weights of the config: in pages and in `/v1/rank`; the manifest knows both."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.ports import DefaultAssigner
from reelrank.app.search.result_list import ResultList
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.wiring import Container, build_release_manager, load_model, warm_service
from reelrank.index_mappings.match import Matches
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.features.compute import FEATURE_NAMES, compute_features
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.rankers.blending import BlendedRanker, BlendWeights, blend_rankers
from reelrank.ranking.rankers.lambdarank import LambdaRank, get_probability_function
from reelrank.ranking.rankers.manifest import POINTWISE_FILE, ModelRejected, read_manifest
from tests.raised import raises_code
from tests.sample_project import add_model, build_project

NOW = datetime(2026, 7, 4, tzinfo=UTC)
QUERY = Query(user="u0", context=Context(NOW), limit=5)
WEIGHTS = BlendWeights(lambdarank=1.0, pointwise=3.0)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    parts = build_project(tmp_path_factory.mktemp("blended"), NOW)
    add_model(parts, "both", 0, has_pointwise=True)
    add_model(parts, "alone", 1)
    build_release_manager(parts).promote_model("both")
    return parts


def load(parts: Container, model: str = "both") -> LambdaRank:
    ranker = load_model(parts.registry.find_directory(model))
    assert isinstance(ranker, LambdaRank)
    return ranker


def build_rows() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(2).random((40, len(FEATURE_NAMES))).astype(np.float32)


def test_without_a_weight_or_a_second_model_nothing_is_blended(parts: Container) -> None:
    both, alone = load(parts), load(parts, "alone")
    assert blend_rankers(both, BlendWeights()) is both
    assert blend_rankers(alone, WEIGHTS) is alone


def test_a_blend_is_the_weighted_mean_of_both_log_odds(parts: Container) -> None:
    ranker, rows = load(parts), build_rows()
    assert ranker.pointwise is not None
    odds = [2 * model.score(rows).astype(np.float64) - 1 for model in (ranker, ranker.pointwise)]
    blended = blend_rankers(ranker, WEIGHTS)
    np.testing.assert_allclose(blended.score(rows), 0.25 * odds[0] + 0.75 * odds[1], rtol=1e-5)
    probabilities = get_probability_function(blended)
    assert probabilities is not None
    assert probabilities(np.zeros(1, np.float32)) == 0.5
    added = blended.compute_contributions(rows).sum(axis=1)
    np.testing.assert_allclose(added, blended.score(rows), atol=1e-5)
    only = blend_rankers(ranker, BlendWeights(0.0, 5.0))
    np.testing.assert_allclose(only.score(rows), odds[1], rtol=1e-5)


def test_a_page_is_ranked_and_explained_by_the_blend(parts: Container) -> None:
    config = replace(parts.config, blend=WEIGHTS).without_exploration()
    service = warm_service(replace(parts, config=config))
    ranked = service.rank_query(RankingOptions(QUERY, explain=True), StageTimings())
    check_scores(parts, ranked)
    page = service.serve_page(RankingOptions(QUERY, explain=True))
    for hit in page.hits:
        why = hit.explanation
        assert why is not None
        assert why.base + sum(why.contributions.values()) == pytest.approx(hit.score, abs=1e-4)


def test_candidates_of_the_caller_are_ranked_by_the_blend(parts: Container) -> None:
    service = replace(warm_service(parts), assigner=DefaultAssigner(RankingConfig(blend=WEIGHTS)))
    ids = [f"sea{n}".encode() for n in range(6)]
    matches = Matches("mine", np.array(ids, "S64"), np.arange(6, 0, -1).astype(np.float32))
    ranked = service.rank_matches(Query(user="u1", context=Context(NOW)), [matches], None)
    assert len(ranked.candidates) == 6
    assert ranked.scores.tobytes() != rank_alone(parts, matches).scores.tobytes()


def rank_alone(parts: Container, matches: Matches) -> ResultList:
    service = replace(warm_service(parts), assigner=DefaultAssigner(RankingConfig()))
    return service.rank_matches(Query(user="u1", context=Context(NOW)), [matches], None)


def check_scores(parts: Container, ranked: ResultList) -> None:
    assert ranked.signals is not None
    ranker = load(parts)
    assert ranker.pointwise is not None
    features = compute_features(ranked.signals, FEATURE_NAMES)
    expected = BlendedRanker(ranker, ranker.pointwise, WEIGHTS).score(features)
    assert ranked.scores.tobytes() == expected.tobytes()


def test_the_manifest_knows_both_models_and_a_changed_second_one_is_refused(
    parts: Container, tmp_path: Path
) -> None:
    directory = parts.registry.find_directory("both")
    known: Mapping[str, object] = read_manifest(directory).model_dump()
    assert known["pointwise"] is not None
    assert '"pointwise"' not in (parts.registry.find_directory("alone") / "manifest.json").read_text()
    copy = tmp_path / "both"
    copy.mkdir()
    for path in directory.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / POINTWISE_FILE).write_text("tree")
    with raises_code(ModelRejected, "model_file_changed", match=POINTWISE_FILE):
        load_model(copy)
