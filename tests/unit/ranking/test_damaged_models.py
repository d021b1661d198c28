"""Damaged and hostile model files: each is refused in words or is a model, and nothing crashes."""

import re
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from benchmarks.endurance.mutations import KINDS, build_rows, mutate, resize, train_kind, try_file
from reelrank.ranking.rankers.golden_rows import read_golden
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.rankers.loading import load_ranker
from reelrank.ranking.rankers.manifest import MANIFEST_FILE, MODEL_FILE, Manifest, ModelRejected
from reelrank.ranking.rankers.model_check import compute_scores_in_child
from reelrank.ranking.rankers.tree_shape import DEPTH_MAX, check_shape
from reelrank.ranking.registry.models import Registry
from tests.raised import raises_code

FEATURES = tuple(f"f{place}" for place in range(6))
MUTATIONS = 30
Damage = Callable[[str], str]


def rows(n: int = 30) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    made = np.random.default_rng(3).random((n, len(FEATURES))).astype(np.float32)
    made[:, 5] = np.arange(n) % 40
    return made


def train(rounds: int = 6, **params: object) -> str:
    """Trees with a split by categories among others."""
    features = rows(400)
    gains = (features[:, 0] + (features[:, 5] % 2) > 0.9).astype(int)
    data = lightgbm.Dataset(
        features, gains, group=[20] * 20, categorical_feature=[5], feature_name=list(FEATURES)
    )
    stated = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5,
              "min_data_per_group": 5, "cat_smooth": 1, **params}  # fmt: skip
    text: str = lightgbm.train(stated, data, num_boost_round=rounds).model_to_string()
    return text


@pytest.fixture(scope="module")
def text() -> str:
    made = train()
    assert re.search("num_cat=[1-9]", made)
    return made


def add(directory: Path, text: str) -> str:
    model = directory / "mine.txt"
    model.write_text(text)
    manifest = {"id": "mine", "features": list(FEATURES)}
    return Registry(directory / "models").add_external(model, manifest, FEATURES, "-".join)


def edit(key: str, change: Callable[[list[str]], list[str]]) -> Damage:
    """In the tree that comes last, where LightGBM has already read others well."""

    def damage(text: str) -> str:
        found = list(re.finditer(rf"^{key}=(.*)$", text, re.MULTILINE))[-1]
        values = " ".join(change(found[1].split()))
        return resize(text[: found.start()] + f"{key}={values}" + text[found.end() :])

    return damage


DAMAGES: dict[str, tuple[Damage, str]] = {
    "cut at 60 %": (lambda text: text[: len(text) * 6 // 10], "cut short"),
    "cut in the header": (lambda text: text[:200], "without trees"),
    "no end": (lambda text: text[: text.index("end of trees")], "lacks its line 'end of trees'"),
    "cut in the parameters": (lambda text: text[: text.index("[machine_list")], "end of parameters"),
    "a parameter without value": (lambda text: text.replace("[machines: ]", "[machi]"), "its parameters"),
    "a gain that is no number": (edit("split_gain", lambda old: ["e.5", *old[1:]]), "e.5"),
    "a section emptied": (edit("leaf_value", lambda _: []), "leaf_value"),
    "one number fewer": (edit("threshold", lambda old: old[1:]), "threshold has"),
    "one count more": (edit("internal_count", lambda old: [*old, "5"]), "internal_count has"),
    "a feature out of range": (edit("split_feature", lambda old: ["6", *old[1:]]), "split_feature has 6"),
    "a negative feature": (edit("split_feature", lambda old: ["-1", *old[1:]]), "split_feature has -1"),
    "a huge feature": (edit("split_feature", lambda old: ["2" * 30, *old[1:]]), "whole numbers"),
    "a circle": (edit("left_child", lambda old: ["0", *old[1:]]), "each node and each leaf once"),
    "a child out of range": (edit("left_child", lambda old: ["9999", *old[1:]]), "each leaf once"),
    "a leaf out of range": (edit("right_child", lambda old: [*old[:-1], "-9999"]), "each leaf once"),
    "an infinite leaf": (edit("leaf_value", lambda old: ["inf", *old[1:]]), "infinite"),
    "a leaf that is no number": (edit("leaf_value", lambda old: ["nan", *old[1:]]), "no number"),
    "more leaves": (edit("num_leaves", lambda _: ["1000000"]), "num_leaves is 1000000"),
    "no leaves": (edit("num_leaves", lambda _: ["0"]), "num_leaves is 0"),
    "a set out of range": (edit("cat_boundaries", lambda old: [*old[:-1], "4000"]), "cat_boundaries"),
    "sets backwards": (edit("cat_boundaries", lambda old: old[::-1]), "cat_bound"),
    "more sets": (edit("num_cat", lambda _: ["77"]), "cat_boundaries"),
    "wrong sizes": (lambda text: re.sub("tree_sizes=.", "tree_sizes=9", text), "tree"),
    "many columns": (lambda text: text.replace("max_feature_idx=5", "max_feature_idx=2000000"), "max_f"),
    "several scores": (lambda text: text.replace("num_class=1", "num_class=3"), "several scores"),
    "two models": (lambda text: text + text, "more than one model"),
    "a zero byte": (lambda text: text.replace("Tree=3", "Tree=3\0"), "zero byte"),
    "an empty line": (lambda text: resize(text.replace("\nleft_child", "\n\nleft_child")), "empty line"),
    "an unknown objective": (lambda text: text.replace("objective=lambdarank", "objective=moon"), "moon"),
    "empty": (lambda text: "", "no LightGBM model file"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_refused_with_what_is_wrong(tmp_path: Path, text: str, damage: str) -> None:
    change, words = DAMAGES[damage]
    with raises_code(ModelRejected, "model_file_damaged", match=words):
        add(tmp_path, change(text))
    assert Registry(tmp_path / "models").versions() == []


def test_nodes_in_a_circle_beside_the_tree_are_refused() -> None:
    left, right = np.array([-1, 2, 1]), np.array([-2, -3, -4])
    with pytest.raises(ValueError, match="form a circle: 2 nodes"):
        check_shape(left, right)


def test_a_tree_too_deep_to_explain_is_refused() -> None:
    nodes = np.arange(DEPTH_MAX + 1)
    with pytest.raises(ValueError, match="1001 levels deep"):
        check_shape(np.append(nodes[1:], -len(nodes) - 1), -nodes - 1)


def test_linear_trees_are_refused_by_name(tmp_path: Path) -> None:
    with raises_code(ModelRejected, "linear_trees"):
        add(tmp_path, train(objective="regression", linear_tree=True))


@pytest.mark.parametrize("change", ["stump", "no sizes", "whole"])
def test_sound_models_of_every_kind_are_taken(tmp_path: Path, text: str, change: str) -> None:
    made = {
        "stump": lambda: train(min_data_in_leaf=10_000),
        "no sizes": lambda: re.sub("tree_sizes=.*\n", "", text),
        "whole": lambda: text,
    }[change]()
    assert add(tmp_path, made) == "mine"


@pytest.mark.parametrize("number", range(MUTATIONS))
def test_a_mutated_model_is_refused_in_words_or_scores(tmp_path: Path, number: int) -> None:
    kind = list(KINDS)[number % len(KINDS)]
    outcome = try_file(tmp_path, mutate(train_kind(kind), number // len(KINDS)))
    assert outcome == outcome.lower()


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_scores_gives_infinite_values_the_same_score(tmp_path: Path, kind: str) -> None:
    text = train_kind(kind)
    add(tmp_path, text)
    ranker = load_ranker(tmp_path / "models" / "mine", FEATURES, "-".join)
    assert isinstance(ranker, LambdaRank)
    assert ranker.compiled_trees is not None
    golden = read_golden(tmp_path / "models" / "mine")
    assert np.isposinf(golden.features).any(axis=0).all()
    assert np.isneginf(golden.features).any(axis=0).all()
    assert np.array_equal(
        ranker.score(build_rows()), LambdaRank("direct", FEATURES, text).score(build_rows())
    )


@pytest.mark.parametrize("name", ["current", "Current", "PREVIOUS", "engine-order", "a/b", ".", ""])
def test_words_with_a_meaning_are_no_ids_of_models(tmp_path: Path, text: str, name: str) -> None:
    model = tmp_path / "mine.txt"
    model.write_text(text)
    registry = Registry(tmp_path / "models")
    if not name:  # an id is chosen
        assert registry.add_external(model, {"features": list(FEATURES)}, FEATURES, "-".join)
        return
    with raises_code(ModelRejected, "invalid_model_id"):
        registry.add_external(model, {"id": name, "features": list(FEATURES)}, FEATURES, "-".join)
    with raises_code(ModelRejected, "invalid_model_id"):
        registry.import_files(name, {})


def test_a_file_that_crashes_lightgbm_is_refused_by_the_trial_alone(text: str) -> None:
    """Past the check of its structure, which nothing can promise to be whole."""
    hostile = edit("left_child", lambda old: ["88888888", *old[1:]])(text)
    with pytest.raises(ValueError, match="LightGBM crashes on it \\(SIG"):
        compute_scores_in_child(hostile, rows())


def test_a_trial_that_takes_too_long_is_a_refusal(text: str) -> None:
    with pytest.raises(ValueError, match="took longer than"):
        compute_scores_in_child(text, rows(), limit_s=0.01)


def test_the_trial_scores_as_the_model_does(text: str) -> None:
    assert np.array_equal(
        compute_scores_in_child(text, rows()), LambdaRank("direct", FEATURES, text).score(rows())
    )


@pytest.mark.parametrize(
    "damage", ["cut at 60 %", "a feature out of range", "a circle", "an unknown objective"]
)
def test_a_damaged_model_put_in_place_by_hand_is_refused(tmp_path: Path, text: str, damage: str) -> None:
    place = tmp_path / "hand"
    place.mkdir()
    (place / MODEL_FILE).write_text(DAMAGES[damage][0](text))
    (place / MANIFEST_FILE).write_text(
        Manifest(id="hand", kind="external", features=FEATURES).model_dump_json()
    )
    with raises_code(ModelRejected, "model_file_damaged", match=DAMAGES[damage][1]):
        load_ranker(place, FEATURES, "-".join)
