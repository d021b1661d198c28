"""Rankers and what a model must be to be loaded."""

import json
from collections.abc import Sequence
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from reelrank.ranking.rankers.golden_rows import GOLDEN_FILE, GoldenRows, read_golden, write_golden
from reelrank.ranking.rankers.lambdarank import FusedOrder, LambdaRank
from reelrank.ranking.rankers.loading import load_ranker
from reelrank.ranking.rankers.manifest import MANIFEST_FILE, MODEL_FILE, Manifest, ModelRejected
from reelrank.ranking.registry.models import Registry
from tests.raised import raises_code

FEATURES = ("bm25", "age", "taste")


def build_fingerprint(names: Sequence[str]) -> str:
    return "fp-" + "-".join(names)


def train(names: Sequence[str] = FEATURES, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    rows = rng.random((200, len(names)))
    labels = (rows[:, 0] + rows[:, 1] > 1).astype(int)
    data = lightgbm.Dataset(rows, labels, group=[20] * 10, feature_name=list(names))
    params = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    text: str = lightgbm.train(params, data, num_boost_round=5).model_to_string()
    return text


def build_rows(width: int = 3) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(1).random((30, width)).astype(np.float32)


@pytest.fixture
def registered(tmp_path: Path) -> Path:
    manifest = Manifest(
        features=FEATURES,
        feature_fingerprint=build_fingerprint(FEATURES),
        encoder="words-1",
        index_fingerprint="abcd1234",
    )
    registry = Registry(tmp_path)
    return registry.find_directory(registry.register(manifest, train(), build_rows()))


def edit_manifest(directory: Path, **fields: object) -> None:
    path = directory / MANIFEST_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_a_loaded_model_scores_as_the_one_registered(registered: Path) -> None:
    ranker = load_ranker(registered, FEATURES, build_fingerprint, "words-1", "abcd1234")
    direct = LambdaRank("direct", FEATURES, (registered / MODEL_FILE).read_text())
    assert np.array_equal(ranker.score(build_rows()), direct.score(build_rows()))
    assert ranker.name == registered.name
    assert ranker.feature_names == FEATURES


def test_contributions_add_up_to_the_score(registered: Path) -> None:
    ranker = load_ranker(registered, FEATURES, build_fingerprint)
    parts = ranker.compute_contributions(build_rows())
    assert parts.shape == (30, 4)
    assert np.allclose(parts.sum(axis=1), ranker.score(build_rows()), atol=1e-5)


def test_no_candidates_give_no_scores(registered: Path) -> None:
    ranker = load_ranker(registered, FEATURES, build_fingerprint)
    assert ranker.score(build_rows()[:0]).shape == (0,)
    assert ranker.compute_contributions(build_rows()[:0]).shape == (0, 4)


def test_engine_order_keeps_the_order_it_is_given() -> None:
    assert np.argsort(-FusedOrder().score(build_rows())).tolist() == list(range(30))
    assert FusedOrder().compute_contributions(build_rows()).shape == (30, 4)


def test_a_feature_this_build_does_not_know_is_refused(registered: Path) -> None:
    with raises_code(ModelRejected, "unknown_features", match="does not know its features taste"):
        load_ranker(registered, ("bm25", "age"), build_fingerprint)


def test_a_changed_feature_formula_is_refused(registered: Path) -> None:
    with raises_code(ModelRejected, "feature_fingerprint_mismatch"):
        load_ranker(registered, FEATURES, lambda names: "another")


def test_another_encoder_is_refused(registered: Path) -> None:
    with raises_code(ModelRejected, "encoder_mismatch"):
        load_ranker(registered, FEATURES, build_fingerprint, expected_encoder="words-2")


def test_another_index_fingerprint_is_refused(registered: Path) -> None:
    with raises_code(ModelRejected, "index_fingerprint_mismatch"):
        load_ranker(registered, FEATURES, build_fingerprint, expected_index="ffff0000")


def test_a_trained_model_without_a_fingerprint_is_refused(registered: Path) -> None:
    edit_manifest(registered, feature_fingerprint="")
    with raises_code(ModelRejected, "feature_fingerprint_missing"):
        load_ranker(registered, FEATURES, build_fingerprint)


def test_a_missing_manifest_is_refused(registered: Path) -> None:
    (registered / MANIFEST_FILE).unlink()
    with raises_code(ModelRejected, "invalid_manifest"):
        load_ranker(registered, FEATURES, build_fingerprint)


def test_a_manifest_that_is_not_json_is_refused(registered: Path) -> None:
    (registered / MANIFEST_FILE).write_text("{")
    with raises_code(ModelRejected, "invalid_manifest"):
        load_ranker(registered, FEATURES, build_fingerprint)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ('{"id": "cut', "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"id": "x"}', "features: Field required"),
        ('{"features": ["age", "age"]}', "features: features named twice: age"),
        ('{"features": ["age"], "colour": 1}', "colour: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_manifest_is_refused_by_its_first_wrong_field(
    registered: Path, manifest: str, message: str
) -> None:
    (registered / MANIFEST_FILE).write_text(manifest)
    with raises_code(ModelRejected, "invalid_manifest", match=message) as rejected:
        load_ranker(registered, FEATURES, build_fingerprint)
    assert "pydantic" not in str(rejected.value)
    assert "\n" not in str(rejected.value)


def test_a_manifest_of_another_model_is_refused(registered: Path) -> None:
    edit_manifest(registered, id="another")
    with raises_code(ModelRejected, "invalid_manifest"):
        load_ranker(registered, FEATURES, build_fingerprint)


def test_a_model_file_cut_short_is_refused(registered: Path) -> None:
    model = registered / MODEL_FILE
    model.write_text(model.read_text()[:500])
    with raises_code(ModelRejected, "model_file_changed"):
        load_ranker(registered, FEATURES, build_fingerprint)


def test_a_feature_count_that_differs_is_refused(registered: Path) -> None:
    edit_manifest(
        registered, features=["bm25", "age"], feature_fingerprint=build_fingerprint(["bm25", "age"])
    )
    with raises_code(ModelRejected, "features_differ"):
        load_ranker(registered, FEATURES, build_fingerprint)


def test_golden_rows_that_score_differently_are_refused(registered: Path) -> None:
    golden = read_golden(registered)
    write_golden(registered, GoldenRows(golden.features, golden.scores + np.float32(1e-3)))
    with raises_code(ModelRejected, "golden_rows_mismatch"):
        load_ranker(registered, FEATURES, build_fingerprint)


def test_missing_golden_rows_are_refused(registered: Path) -> None:
    (registered / GOLDEN_FILE).unlink()
    with raises_code(ModelRejected, "invalid_golden_rows"):
        load_ranker(registered, FEATURES, build_fingerprint)


def test_damaged_golden_rows_are_refused(registered: Path) -> None:
    (registered / GOLDEN_FILE).write_bytes(b"PAR1 no more")
    with raises_code(ModelRejected, "invalid_golden_rows"):
        load_ranker(registered, FEATURES, build_fingerprint)


def test_golden_rows_keep_missing_values(registered: Path) -> None:
    features = build_rows()
    features[3, 1] = np.nan
    write_golden(registered, GoldenRows(features, np.zeros(30, np.float32)))
    assert np.array_equal(read_golden(registered).features, features, equal_nan=True)
