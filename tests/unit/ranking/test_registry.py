"""The registry: whole models or none, and an old model that keeps serving when a new one is refused."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import lightgbm
import numpy as np
import pytest

from reelrank.index_mappings.errors import ModelNotFound, Unavailable
from reelrank.ranking.rankers.loading import load_ranker
from reelrank.ranking.rankers.manifest import (
    MODEL_FILE,
    Manifest,
    MetricEstimate,
    ModelRejected,
    read_manifest,
)
from reelrank.ranking.registry.models import Registry
from tests.raised import raises_code

FEATURES = ("bm25", "age")
MADE = datetime(2026, 11, 24, 16, 45, tzinfo=UTC)
GOLDEN = np.random.default_rng(2).random((400, 2)).astype(np.float32)


def build_fingerprint(names: Sequence[str]) -> str:
    return "-".join(names)


check = partial(load_ranker, known_features=FEATURES, compute_fingerprint=build_fingerprint)


def train(seed: int = 0, names: list[str] | Literal["auto"] = "auto") -> str:
    rows = np.random.default_rng(seed).random((200, 2))
    data = lightgbm.Dataset(rows, (rows[:, 0] > 0.5).astype(int), group=[20] * 10, feature_name=names)
    params = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    text: str = lightgbm.train(params, data, num_boost_round=3).model_to_string()
    return text


def register(registry: Registry, seed: int = 0) -> str:
    manifest = Manifest(
        created_at=MADE + timedelta(hours=seed),
        features=FEATURES,
        feature_fingerprint=build_fingerprint(FEATURES),
        metrics={"ndcg@10": MetricEstimate(value=0.5, low=0.4, high=0.6)},
    )
    return registry.register(manifest, train(seed), GOLDEN)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def test_an_empty_registry_lists_no_model(registry: Registry) -> None:
    assert registry.versions() == []
    assert registry.read_legacy_pointer("CURRENT") is None


def test_an_id_tells_kind_time_and_content(registry: Registry) -> None:
    assert register(registry).startswith("lambdarank-20261124T164500-")


def test_versions_are_listed_newest_first_with_the_one_that_serves(registry: Registry) -> None:
    first, second = register(registry), register(registry, 1)
    assert [(v.id, v.serving) for v in registry.versions(first)] == [(second, False), (first, True)]
    assert registry.versions()[0].metrics["ndcg@10"].value == 0.5


def test_a_damaged_model_file_fails_the_check(registry: Registry) -> None:
    model = register(registry)
    (registry.find_directory(model) / MODEL_FILE).write_text("tree")
    with raises_code(ModelRejected, "model_file_changed"):
        registry.check(model, check)


def test_a_check_that_fails_otherwise_is_a_rejection(registry: Registry) -> None:
    model = register(registry)
    with raises_code(ModelRejected, "model_check_failed"):
        registry.check(model, lambda directory: 1 / 0)


@pytest.mark.parametrize("model", ["../models", "", ".", "/etc", "a/b", "a\x00b", ".new-1", "x" * 101, "a\n"])
def test_an_id_never_leaves_the_registry(registry: Registry, model: str) -> None:
    register(registry)
    with raises_code(ModelNotFound, "model_not_found"):
        registry.check(model, check)


def test_an_unknown_id_is_refused(registry: Registry) -> None:
    with raises_code(ModelNotFound, "model_not_found"):
        registry.check("lambdarank-1", check)


def test_a_taken_id_is_refused_and_leaves_nothing_behind(registry: Registry) -> None:
    model = register(registry)
    with raises_code(ModelRejected, "model_exists"):
        register(registry)
    assert [place.name for place in registry.directory.iterdir()] == [model]


def test_a_model_that_does_not_load_is_not_registered(registry: Registry) -> None:
    with raises_code(ModelRejected, "model_file_damaged"):
        registry.register(Manifest(features=FEATURES), "no model", GOLDEN)
    assert registry.versions() == []


def test_golden_rows_of_another_width_are_refused(registry: Registry) -> None:
    with raises_code(ModelRejected, "invalid_golden_rows"):
        registry.register(Manifest(features=FEATURES), train(), GOLDEN[:, :1])


def test_a_damaged_manifest_is_listed_with_its_problem(registry: Registry) -> None:
    model = register(registry)
    (registry.find_directory(model) / "manifest.json").write_text("{}")
    assert "features" in registry.versions()[0].problem


def test_a_half_written_model_is_not_listed(registry: Registry) -> None:
    (registry.directory / ".tmp-0123").mkdir(parents=True)
    assert registry.versions() == []


@pytest.mark.parametrize("content", [b"../../etc\n", b"", b"\xff\xfe"])
def test_a_damaged_pointer_of_an_earlier_build_names_no_model(registry: Registry, content: bytes) -> None:
    register(registry)
    (registry.directory / "CURRENT").write_bytes(content)
    assert registry.read_legacy_pointer("CURRENT") is None


def add_external_model(registry: Registry, tmp_path: Path, text: str, **fields: object) -> str:
    model = tmp_path / "mine.txt"
    model.write_text(text)
    manifest = {"id": "mine", "kind": "external", "features": list(FEATURES), **fields}
    return registry.add_external(model, manifest, FEATURES, build_fingerprint)


def test_an_external_model_gets_a_fingerprint_and_golden_rows(registry: Registry, tmp_path: Path) -> None:
    registry.check(add_external_model(registry, tmp_path, train()), check)
    manifest = read_manifest(registry.find_directory("mine"))
    assert (manifest.kind, manifest.feature_fingerprint, manifest.note) == ("external", "bm25-age", "")


def test_an_external_model_reports_its_own_feature_names(registry: Registry, tmp_path: Path) -> None:
    add_external_model(registry, tmp_path, train(names=["words", "days"]))
    note = read_manifest(registry.find_directory("mine")).note
    assert note.startswith("The model file has 2 features, as many as the manifest, under other names (words")


def test_an_external_model_in_another_order_is_refused(registry: Registry, tmp_path: Path) -> None:
    text = train(names=["age", "bm25"])
    with raises_code(ModelRejected, "features_differ"):
        add_external_model(registry, tmp_path, text)


def test_an_external_model_of_another_width_is_refused(registry: Registry, tmp_path: Path) -> None:
    text = train()
    with raises_code(ModelRejected, "features_differ"):
        add_external_model(registry, tmp_path, text, features=["bm25"])


def test_an_external_model_with_a_wrong_manifest_is_refused_by_field(
    registry: Registry, tmp_path: Path
) -> None:
    text = train()
    with raises_code(ModelRejected, "invalid_manifest"):
        add_external_model(registry, tmp_path, text, colour="red")


def test_a_registry_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file in place of the directory")
    registry, text = Registry(tmp_path / "models"), train()
    with raises_code(Unavailable, "storage_failed"):
        add_external_model(registry, tmp_path, text)


def test_an_external_model_with_unknown_features_is_refused(registry: Registry, tmp_path: Path) -> None:
    text = train()
    with raises_code(ModelRejected, "unknown_features"):
        add_external_model(registry, tmp_path, text, features=["bm25", "moon"])


def test_an_external_model_put_in_place_by_hand_loads(registry: Registry) -> None:
    place = registry.directory / "hand"
    place.mkdir(parents=True)
    (place / MODEL_FILE).write_text(train())
    (place / "manifest.json").write_text('{"id": "hand", "kind": "external", "features": ["bm25", "age"]}')
    registry.check("hand", check)
