"""Releases that are bad on purpose, on a real data directory with a made-up trainer."""

from functools import partial
from pathlib import Path

import pytest

from reelrank.app.loop.faults import Fault
from reelrank.app.loop.simulated import bad_builds
from reelrank.app.loop.simulated.bad_builds import CUT, FaultyWork, HarmfulWork, PlainWork, choose_column
from reelrank.app.release.staging import read_staged
from reelrank.app.wiring import Container, build_release_manager
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.progress import Progress, ignore_progress
from tests.raised import raises_code
from tests.sample_project import build_project
from tests.unit.app.loop.made_up_work import NOW
from tests.unit.app.loop.test_loop_on_a_project import train_made_up

pytestmark = pytest.mark.slow


def train(
    container: Container, progress: Progress, _source: object, publisher: object, _place: object
) -> None:
    train_made_up(0.4, container, progress, publisher=publisher)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    container = build_project(tmp_path, NOW)
    container.settings.gate_known_items = 0
    monkeypatch.setattr(bad_builds, "train", train)
    monkeypatch.setattr(type(container.clock), "now", lambda _clock: NOW)
    return container


def test_stale_vectors_are_found_by_the_gate(project: Container) -> None:
    work = FaultyWork(project, ignore_progress, Fault.STALE_VECTORS, 0)
    checks = {check.name: check for check in work.judge(work.build("run-1").release)}
    assert not checks["vectors"].passed


def test_a_harmful_release_differs_in_its_settings_alone(project: Container) -> None:
    plain, work = PlainWork(project, ignore_progress), HarmfulWork(project, ignore_progress)
    plain.promote(plain.build("run-1").release)
    built = work.build("run-2")
    assert work.build("run-2") == built
    release, serving = (read_staged(build_release_manager(project), f"release-{n}") for n in "21")
    assert {name: release.config[name] for name in CUT} == CUT
    assert release.config["bm25"] == project.config.limits.bm25
    assert (release.model, release.index_version) == (serving.model, serving.index_version)
    checks = {check.name: check for check in work.judge(built.release)}
    assert checks["vectors"].passed
    assert "order" not in checks, "a model is not compared with itself"


def test_settings_alone_are_promoted_and_rolled_back(project: Container) -> None:
    plain, work = PlainWork(project, ignore_progress), HarmfulWork(project, ignore_progress)
    baseline = plain.build("run-1").release
    plain.promote(baseline)
    harmful = work.build("run-2").release
    work.promote(harmful)
    assert work.read_serving() == harmful
    work.roll_back(harmful, baseline)
    assert work.read_serving() == baseline


def test_a_refused_release_is_gone_and_the_index_version_it_shares_stays(project: Container) -> None:
    plain, work = PlainWork(project, ignore_progress), HarmfulWork(project, ignore_progress)
    plain.promote(plain.build("run-1").release)
    work.discard(work.build("run-2").release)
    manager = build_release_manager(project)
    with raises_code(NotFound, "release_not_found"):
        read_staged(manager, "release-2")
    assert read_staged(manager, "release-1").id == work.read_serving()


def test_without_a_model_a_leak_and_missing_values_have_different_columns(project: Container) -> None:
    choose = partial(choose_column, project)
    assert choose(Fault.LEAKED_FEATURE) != choose(Fault.NAN_COLUMN)
