"""The faster form of a model's trees: the same scores, behind the golden rows, with LightGBM as fallback."""

import builtins
import logging
import re
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from reelrank.ranking.rankers.compiled_trees import LIBRARY_FILE, compile_trees, open_compiled_trees
from reelrank.ranking.rankers.golden_rows import GoldenRows, read_golden
from reelrank.ranking.rankers.lambdarank import LambdaRank, Ranker
from reelrank.ranking.rankers.loading import load_ranker
from reelrank.ranking.rankers.manifest import MODEL_FILE, Manifest
from reelrank.ranking.registry.models import Registry

FEATURES = tuple(f"f{place}" for place in range(12))


def build_rows(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    rng = np.random.default_rng(5)
    made = rng.normal(size=(n, len(FEATURES))).astype(np.float32)
    made[rng.random(made.shape) < 0.2] = np.nan
    return made


@pytest.fixture
def registered(tmp_path: Path) -> Path:
    features = build_rows(2000)
    gains = (np.nan_to_num(features[:, 0]) + np.nan_to_num(features[:, 1]) > 0.5).astype(int)
    data = lightgbm.Dataset(features, gains, group=[50] * 40)
    params = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    text = lightgbm.train(params, data, num_boost_round=30).model_to_string()
    registry = Registry(tmp_path / "models")
    manifest = Manifest(features=FEATURES, feature_fingerprint="fp")
    return registry.find_directory(registry.register(manifest, text, features[:100]))


def load(directory: Path) -> LambdaRank:
    ranker: Ranker = load_ranker(directory, FEATURES, lambda names: "fp")
    assert isinstance(ranker, LambdaRank)
    return ranker


@pytest.mark.parametrize("compiled", [False, True])
def test_a_forest_scores_bit_by_bit_as_lightgbm_does(registered: Path, compiled: bool) -> None:
    if compiled:
        assert compile_trees(registered) == ""
    ranker = load(registered)
    assert ranker.scorer == ("lignum, compiled" if compiled else "lignum")
    for n in (1, 7, 3000):
        features = np.asfortranarray(build_rows(n))
        expected = ranker.booster.predict(features, raw_score=True).astype(np.float32)
        assert np.array_equal(ranker.score(features), expected)
        assert np.array_equal(ranker.score(np.ascontiguousarray(features)), expected)


def test_without_lignum_lightgbm_scores(
    registered: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = builtins.__import__

    def import_without(name: str, *rest: object) -> object:
        if name == "lignum":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]  # handed through as they came

    monkeypatch.setattr(builtins, "__import__", import_without)
    caplog.set_level(logging.INFO)
    assert load(registered).scorer == "LightGBM"
    assert "reelrank[compiled]" in caplog.text
    assert "not installed" in compile_trees(registered)


def test_a_forest_that_scores_a_golden_row_differently_does_not_serve(
    registered: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    another = registered.parent / "another"
    another.mkdir()
    halved = re.sub(r"(leaf_value=)(\S+)", r"\g<1>0.5", (registered / MODEL_FILE).read_text())
    (another / MODEL_FILE).write_text(halved)
    wrong = open_compiled_trees(another)
    monkeypatch.setattr("reelrank.ranking.rankers.loading.open_compiled_trees", lambda *_: wrong)
    ranker = load(registered)
    assert ranker.scorer == "LightGBM"
    assert "golden rows score differently" in caplog.text
    golden: GoldenRows = read_golden(registered)
    assert golden.find_mismatch(ranker.score(golden.features)) == ""


def test_native_code_of_another_model_is_not_run(registered: Path, caplog: pytest.LogCaptureFixture) -> None:
    (registered / LIBRARY_FILE).write_bytes(b"no library")
    assert load(registered).scorer == "lignum"
    assert "compile it again" in caplog.text
