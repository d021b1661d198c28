"""The loop on a real data directory: index, lake, releases and gate, with a made-up trainer."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.loop import candidates
from reelrank.app.loop.candidates import build_candidate, name_release, read_vectors
from reelrank.app.loop.container_work import ContainerWork
from reelrank.app.loop.faults import age_vectors
from reelrank.app.loop.judging import load_serving
from reelrank.app.loop.machine import Loop
from reelrank.app.loop.states import StateFile, Step
from reelrank.app.loop.work import Trend
from reelrank.app.release.staging import discard_release
from reelrank.app.wiring import Container, build_release_manager
from reelrank.index_mappings.event import Event
from reelrank.ranking.drift.histograms import PROFILE_FILE, Profile, write_profile
from reelrank.ranking.embeddings.learn_embeddings import Embeddings, learn_embeddings
from reelrank.ranking.embeddings.watches import build_event_table, select_watches
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.rankers.manifest import MetricEstimate, read_manifest, write_manifest
from reelrank.ranking.registry.decisions import FileHistory, StepOutcome
from tests.sample_project import add_model, build_project
from tests.unit.app.loop.made_up_work import NOW

pytestmark = pytest.mark.slow


def train_made_up(quality: float, container: Container, progress: Progress, publisher: object = None) -> None:
    """Stands for a training: embeddings are learned, the model and what is said of it are made up."""
    now_ms = round(NOW.timestamp() * 1000)
    table = build_event_table(container.events.scan(0, now_ms))
    learned: Embeddings = learn_embeddings(select_watches(table, now_ms), seed=len(table))
    models = len(container.registry.versions())
    model = add_model(container, f"model-{models}", models)
    directory = container.registry.find_directory(model)
    estimate = {"ndcg@10": MetricEstimate(value=quality, low=quality, high=quality)}
    fused = {"fused": {"ndcg@10": MetricEstimate(value=0.3, low=0.3, high=0.3)}}
    changes = {
        "metrics": estimate, "baselines": fused, "embeddings_fingerprint": learned.compute_fingerprint(),
    }  # fmt: skip
    write_manifest(directory, read_manifest(directory).model_copy(update=changes))
    write_profile(directory / PROFILE_FILE, Profile({}, requests=100, source="made-up requests"))
    assert callable(publisher)
    publisher(container, learned, progress, model)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    container = build_project(tmp_path, NOW)
    container.settings.gate_known_items = 0
    monkeypatch.setattr(candidates, "train", partial(train_made_up, 0.4))
    monkeypatch.setattr(type(container.clock), "now", lambda _clock: NOW)
    return container


def make_loop(container: Container) -> Loop:
    directory = container.settings.loop_dir
    return Loop(ContainerWork(container, ignore_progress), directory, FileHistory(directory))


def test_a_first_model_is_promoted_with_its_index_and_recorded(project: Container) -> None:
    before = project.engine.serving_version()
    result = make_loop(project).run_once()
    assert result.outcome is StepOutcome.WAITING
    assert result.state.step is Step.WATCH
    pointer = project.releases.read_pointer()
    assert pointer is not None
    assert pointer.serving.id == result.state.release
    assert pointer.serving.index_version == project.engine.serving_version() != before
    decisions = FileHistory(project.settings.loop_dir).of_release(pointer.serving.id)
    assert [one.step for one in decisions] == ["build", "gate", "promote", "watch"]
    built, gate = decisions[:2]
    assert built.inputs["embeddings"] == pointer.serving.embeddings
    assert {check.name for check in gate.checks} >= {"training data", "size", "vectors", "order"}
    assert "no logged requests" in gate.checks[3].sentence


def test_a_model_that_ranks_worse_than_the_fused_order_is_refused(
    project: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "train", partial(train_made_up, 0.2))
    versions = {version.name for version in project.engine.versions()}
    result = make_loop(project).run_once()
    assert result.outcome is StepOutcome.REFUSED
    assert {version.name for version in project.engine.versions()} == versions
    assert make_loop(project).run_once().outcome is StepOutcome.NOTHING_NEW
    project.events.append([Event("new", "watch", "u1", round(NOW.timestamp() * 1000), "sea1", 9, 10)])
    assert make_loop(project).run_once().outcome is StepOutcome.REFUSED


def test_a_release_that_is_built_is_found_again(project: Container) -> None:
    first = build_candidate(project, "run-1", ignore_progress)
    models = len(project.registry.versions())
    assert build_candidate(project, "run-1", ignore_progress) == first
    assert len(project.registry.versions()) == models
    discard_release(build_release_manager(project), first.release)
    discard_release(build_release_manager(project), first.release)
    assert build_candidate(project, "run-1", ignore_progress).release == first.release
    assert len(project.registry.versions()) == models + 1


def test_vectors_of_an_earlier_training_are_found(project: Container) -> None:
    work = ContainerWork(project, ignore_progress)
    release = work.build("run-1").release
    path = project.settings.loop_dir / f"{name_release('run-1')}.npz"
    checks = {check.name: check for check in work.judge(release)}
    assert checks["vectors"].passed
    aged = age_vectors(read_vectors(path), np.random.default_rng(0))
    np.savez(path, ids=np.array([item.encode() for item in aged]), vectors=np.stack(list(aged.values())))
    checks = {check.name: check for check in work.judge(release)}
    assert not checks["vectors"].passed
    assert "stale" in checks["vectors"].sentence


def test_a_rollback_moves_index_and_model_together(project: Container) -> None:
    loop = make_loop(project)
    loop.run_once()
    state = StateFile(loop.directory).read()
    work = ContainerWork(project, ignore_progress)
    work.roll_back(state.release, state.baseline)
    pointer = project.releases.read_pointer()
    assert pointer is not None
    assert pointer.serving.id == state.baseline
    assert pointer.serving.index_version == project.engine.serving_version()
    assert loop.run_once().outcome is StepOutcome.DONE  # another user took it back: there is nothing to watch
    assert work.observe_promoted(state.release, state.baseline, NOW).trend is Trend.STOPPED


def test_a_serving_model_that_does_not_fit_this_build_is_replaced(project: Container) -> None:
    build_release_manager(project).promote_model(add_model(project, "old", 1))
    assert load_serving(project).name == "old"
    directory = project.registry.find_directory("old")
    write_manifest(directory, read_manifest(directory).model_copy(update={"feature_fingerprint": "0" * 16}))
    assert load_serving(project).name == FusedOrder.name
    release = build_candidate(project, "run-1", ignore_progress).release
    checks = ContainerWork(project, ignore_progress).judge(release)
    assert [check.name for check in checks if not check.passed] == []
