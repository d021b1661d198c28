"""A promotion killed at any step, or at any moment: index version and model still belong together."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from reelrank.app.diagnostics.doctor import diagnose
from reelrank.app.jobs.training import publish
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_release_manager, build_service
from reelrank.ranking.embeddings.learn_embeddings import learn_embeddings
from reelrank.ranking.embeddings.watches import build_event_table, select_watches
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.manifest import read_manifest, write_manifest
from tests.sample_project import add_model, build_project

KILLS = 20
STEPS = ("check", "prepare", "record", "point", "follow", "done")
# a child is forked from a process that has imported the program once, which takes seconds
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.test_promotion_kill"])


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """Two releases, each a model with the index version that has its embeddings."""
    data_dir = tmp_path_factory.mktemp("killed")
    parts = build_project(data_dir, datetime.now(UTC))
    for seed, name in enumerate(("first", "second")):
        train_again(parts, name, seed)
    return build_container(Settings(data_dir=data_dir))


def train_again(parts: Container, name: str, seed: int) -> None:
    """Publishes embeddings of their own with a model that is tied to them."""
    events = build_event_table(parts.events.scan(0, 2**62))
    embeddings = learn_embeddings(select_watches(events, 2**62), seed=seed)
    directory = parts.registry.find_directory(add_model(parts, name, seed))
    fingerprint = {"embeddings_fingerprint": embeddings.compute_fingerprint()}
    write_manifest(directory, read_manifest(directory).model_copy(update=fingerprint))
    publish(parts, embeddings, ignore_progress, name)


def roll_back_and_die(data_dir: Path, step: str, started: Connection) -> None:
    """Rolls back again and again until the step is reached."""
    releases = build_release_manager(build_container(Settings(data_dir=data_dir)))

    def kill(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    releases = replace(releases, on_step=kill)
    started.send(True)
    for _ in range(1000):
        releases.rollback()


@contextmanager
def start_child(container: Container, step: str = "never") -> Iterator[BaseProcess]:
    """Starts a process that rolls back until it is killed; afterwards it has been."""
    here, there = PROCESSES.Pipe(duplex=False)
    child = PROCESSES.Process(target=roll_back_and_die, args=(container.settings.data_dir, step, there))
    child.start()
    assert here.poll(60)
    yield child
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


def read_pair(container: Container) -> tuple[str | None, str]:
    pointer = container.releases.read_pointer()
    assert pointer is not None
    return container.engine.serving_version(), pointer.serving.model


def check_whole(container: Container) -> None:
    """As after a restart: the doctor exits with 0, and the model has the embeddings of its index version."""
    assert diagnose(container).problems == []
    pointer = container.releases.read_pointer()
    assert pointer is not None
    assert container.engine.serving_version() == pointer.serving.index_version
    manifest = read_manifest(container.registry.find_directory(pointer.serving.model))
    assert manifest.embeddings_fingerprint == pointer.serving.embeddings
    assert pointer.previous is not None
    assert pointer.previous.model != pointer.serving.model


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_promotion_killed_at_a_step_leaves_a_whole_pair(container: Container, step: str) -> None:
    for _ in range(KILLS):
        before = container.releases.read_pointer()
        with start_child(container, step):
            pass
        check_whole(container)
        after = container.releases.read_pointer()
        assert before is not None
        assert after is not None
        assert after.counter == before.counter + (step in ("follow", "done"))


@pytest.mark.slow
def test_promotions_killed_at_any_step_leave_a_whole_pair(container: Container) -> None:
    chance = random.Random(0)
    for _ in range(KILLS):
        with start_child(container) as child:
            time.sleep(chance.uniform(0, 0.3))
            child.kill()
        check_whole(container)


def test_a_worker_ranks_each_version_with_its_own_model_between_two_steps(container: Container) -> None:
    """Killed after the pointer moved and before the engine followed: the state is of the previous release."""
    check_whole(container)
    service = build_service(container)
    service.refresher.refresh()
    with start_child(container, "follow"):
        pass
    version, model = read_pair(container)
    service.refresher.refresh()
    state = service.refresher.state
    assert (state.version, state.degraded) == (version, ())
    assert state.ranker.name != model
    check_whole(container)
    service.refresher.refresh()
    state = service.refresher.state
    assert (state.version, state.ranker.name, state.degraded) == (*read_pair(container), ())
