"""Definitions that are refused, experiments that start and stop once, and layers that share no viewer."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import chi2_contingency

from reelrank.index_mappings.errors import Conflict, NotFound, Unavailable
from reelrank.ranking.experiments.assignment import choose_arm, draw_share, find_arm, find_arms, join_arms
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import AssignedPage, Experiment
from reelrank.ranking.experiments.store import FileExperiments
from tests.raised import raises_code

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ARMS = ({"name": "control", "share": 0.5}, {"name": "diverse", "share": 0.5, "config": {"diversity": 0.3}})
HYPOTHESIS = "Viewers watch longer when films are less alike."


def define(name: str = "diversity", **fields: Any) -> ExperimentDefinition:
    return ExperimentDefinition.model_validate(
        {"name": name, "hypothesis": HYPOTHESIS, "arms": ARMS} | fields
    )


@pytest.fixture
def store(tmp_path: Path) -> FileExperiments:
    return FileExperiments(tmp_path / "experiments", lambda: NOW)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"arms": ARMS[:1]}, "at least 2"),
        ({"arms": ({"name": "a", "share": 0.5}, {"name": "b", "share": 0.4})}, "add up to 0.9"),
        ({"arms": ({"name": "a", "share": 0.5}, {"name": "a", "share": 0.5})}, "repeated"),
        ({"arms": ({**ARMS[0], "config": {"speed": 1}}, ARMS[1])}, "no value 'speed'"),
        ({"arms": ({**ARMS[0], "config": {"diversity": 2}}, ARMS[1])}, "not between 0 and 1"),
        ({"primary": "happiness"}, "no measure 'happiness'"),
        ({"guardrails": [{"metric": "happiness"}]}, "no measure 'happiness'"),
        ({"conversion": {"kind": "impression"}}, "no action"),
        ({"name": "two words"}, "pattern"),
        ({"lair": "x"}, "Extra inputs"),
        ({"interleave": True, "arms": ({**ARMS[0], "share": 0.4}, {**ARMS[1], "share": 0.6})}, "0.5 each"),
        ({"interleave": True, "arms": ({**ARMS[0], "name": "interleaved"}, ARMS[1])}, "another name"),
        (
            {"interleave": True, "arms": ({**ARMS[0], "config": {"exploration_slots": 2}}, ARMS[1])},
            "one page",
        ),
        ({"interleave": True, "guardrails": [{"metric": "ctr"}]}, "guardrails: interleaving"),
        ({"interleave": True, "primary": "ctr"}, "primary: interleaving"),
    ],
)
def test_a_definition_that_cannot_be_meant_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        define(**fields)


def test_every_viewer_of_an_interleaved_experiment_has_both_arms() -> None:
    definition = define(interleave=True)
    experiment = Experiment(definition=definition, created_at=NOW).start(NOW, [])
    arms = [experiment.find_arm(AssignedPage(f"u{viewer}")) for viewer in range(20)]
    assert {definition.name_variant(arm) for arm in arms if arm is not None} == {"interleaved"}
    assert all(arm == definition.arms[0] for arm in arms)


def test_a_draft_may_be_replaced_and_what_was_started_never_changes(store: FileExperiments) -> None:
    store.create(define())
    store.create(define(planned_days=7))
    started = store.start("diversity")
    assert (started.status, started.started_at, started.definition.planned_days) == ("running", NOW, 7)
    with raises_code(Conflict, "experiment_started"):
        store.create(define())
    with raises_code(Conflict, "experiment_started"):
        store.start("diversity")
    assert store.stop("diversity", "watch time fell").stopped_reason == "watch time fell"
    with raises_code(Conflict, "experiment_not_running"):
        store.stop("diversity")
    assert store.list_running() == ()


def test_an_unknown_name_and_a_damaged_file_are_reported(store: FileExperiments) -> None:
    with raises_code(NotFound, "experiment_not_found"):
        store.find("none")
    store.create(define())
    (store.directory / "diversity.json").write_text("{")
    with raises_code(Unavailable, "invalid_experiment"):
        store.list_experiments()


def test_another_process_sees_a_change_at_its_next_look(store: FileExperiments) -> None:
    other = FileExperiments(store.directory, lambda: NOW)
    assert other.list_running() == ()
    store.create(define())
    store.start("diversity")
    assert [experiment.name for experiment in other.list_running()] == ["diversity"]
    assert json.loads((store.directory / "diversity.json").read_text())["definition"]["name"] == "diversity"


def test_experiments_of_a_layer_share_no_viewer_and_a_full_layer_is_refused(store: FileExperiments) -> None:
    for name, traffic in (("first", 0.5), ("second", 0.25), ("third", 0.5), ("apart", 1.0)):
        store.create(define(name, traffic=traffic, layer="other" if name == "apart" else "default"))
    started = [store.start(name) for name in ("first", "second", "apart")]
    with raises_code(Conflict, "experiment_layer_full"):
        store.start("third")
    units = [f"u{n}" for n in range(2000)]
    inside = {
        one.name: {unit for unit in units if one.find_arm(AssignedPage(unit)) is not None} for one in started
    }
    assert not inside["first"] & inside["second"]
    assert len(inside["first"]) == pytest.approx(1000, abs=120)
    assert inside["apart"] == set(units)
    store.stop("first")
    assert store.start("third").offset == 0.0  # the part that became free; `second` keeps its own


@pytest.mark.parametrize(
    "page",
    [
        AssignedPage(""),
        AssignedPage("staff"),
        AssignedPage("u1", surface="search"),
        AssignedPage("u1", device="tv"),
        AssignedPage("u1", country="NZ"),
    ],
)
def test_an_excluded_page_has_no_arm(page: AssignedPage) -> None:
    excluded = {"surfaces": ["search"], "devices": ["tv"], "countries": ["NZ"], "user_keys": ["staff"]}
    experiment = Experiment(definition=define(exclusions=excluded), created_at=NOW, started_at=NOW)
    assert experiment.find_arm(page) is None
    assert experiment.find_arm(AssignedPage("u1", "home", "phone", "FR")) is not None


def test_the_arm_of_a_page_is_found_among_those_of_other_experiments() -> None:
    joined = join_arms([("a", "control"), ("", ""), ("b", "new")])
    assert joined == ("a b", "control new")
    assert [find_arm(joined, name) for name in ("a", "b", "c")] == ["control", "new", ""]
    experiments, variants = np.array(["a b", "", "b"]), np.array(["control new", "", "old"])
    assert find_arms(experiments, variants, "b").tolist() == ["new", "", "old"]
    assert find_arms(np.array([], np.str_), np.array([], np.str_), "b").tolist() == []


@pytest.mark.slow
def test_two_layers_are_independent_over_a_million_viewers() -> None:
    """p of the contingency table of arms is above 0.001, and so is that of the shares of each."""
    shares, units = (0.5, 0.3, 0.2), [f"viewer-{n}" for n in range(1_000_000)]
    arms = np.array([[choose_arm(salt, unit, shares) for unit in units] for salt in ("one", "two")])
    table = np.zeros((3, 3))
    np.add.at(table, (arms[0], arms[1]), 1)
    assert chi2_contingency(table).pvalue > 0.001
    for row in (table.sum(axis=0), table.sum(axis=1)):
        expected = len(units) * np.array(shares)
        assert float(((row - expected) ** 2 / expected).sum()) < 13.8  # 0.999 quantile with 2 degrees
    assert draw_share("one", units[0]) != draw_share("two", units[0])
