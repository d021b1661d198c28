"""The work of the loop with a release that is bad on purpose; everything after the build is as always."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelrank.app.compute.backend import RankerTask
from reelrank.app.compute.local import LocalCompute
from reelrank.app.jobs.history import History
from reelrank.app.jobs.logged_pages import TrainingSource
from reelrank.app.jobs.training import Publisher, collect_rows, train
from reelrank.app.loop.candidates import build_candidate, describe_candidate, name_release, write_vectors
from reelrank.app.loop.container_work import ContainerWork
from reelrank.app.loop.faults import Fault, age_vectors, leak, spoil_rows
from reelrank.app.loop.judging import judge_release
from reelrank.app.loop.reading.logged_requests import read_gate_requests
from reelrank.app.loop.work import Built
from reelrank.app.release.staging import read_staged, stage_release
from reelrank.app.wiring import Container, build_release_manager, read_serving_model
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.embeddings.learn_embeddings import Embeddings
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.gate.requests import GateRequests
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.manifest import read_manifest
from reelrank.ranking.registry.decisions import Check
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import TrainingResult

FIELD = "factors"
CUT = dict.fromkeys(("text_knn", "factors", "neighbours", "session", "recent", "fresh", "popular"), 0)
"""Limits of the sources of a harmful release: home pages are empty, or have films in no order to fill them up
for viewers who watched something; pages of similar films are empty. Searches keep their words, or the gate
would refuse it by known titles."""
VectorFields = Mapping[str, tuple[ItemIds, NDArray[np.float32]]]


@dataclass(frozen=True, slots=True, eq=False)
class StatedEmbeddings(Embeddings):
    """Embeddings that state the fingerprint of those that they replace: the fault must not be found by it."""

    stated: str = ""

    def compute_fingerprint(self) -> str:
        return self.stated


class OneThread(LocalCompute):
    """Trains with one thread: few rows take longer with two, and the trees are the same."""

    def train_ranker(self, task: RankerTask, progress: Progress) -> TrainingResult:
        return super().train_ranker(replace(task, params={**task.params, "num_threads": 1}), progress)


@dataclass(frozen=True, slots=True)
class PlainWork(ContainerWork):
    """Builds releases without a fault."""

    def build(self, run: str) -> Built:
        return build_candidate(self.container, run, self.progress, train_plainly)


@dataclass(frozen=True, slots=True)
class FaultyWork(ContainerWork):
    """Builds releases with one of the five faults that the gate must find."""

    fault: Fault
    seed: int

    def build(self, run: str) -> Built:
        trainer: Callable[..., None] = self._train
        if self.fault is Fault.STALE_VECTORS:
            trainer = partial(train_stale, self.container.settings.loop_dir / f"{name_release(run)}.npz")
        return build_candidate(self.container, run, self.progress, trainer)

    def judge(self, release: str) -> Sequence[Check]:
        return judge_release(self.container, release, self._read_requests)

    def _train(self, container: Container, progress: Progress, publisher: Publisher) -> None:
        train(container, progress, self._collect, publisher, OneThread())

    def _collect(self, history: History, progress: Progress) -> tuple[TrainingSet, str]:
        rows, learned_from = collect_rows(history, progress, TrainingSource.AUTO)
        column = choose_column(self.container, self.fault)
        spoiled = spoil_rows(rows, self.fault, column, np.random.default_rng([self.seed, 1]))
        return spoiled, f"{learned_from}; with {self.fault} on purpose"

    def _read_requests(self, container: Container, grader: Grader) -> GateRequests | None:
        """Reads the newest requests. A leak of learning is in the log, too: the hardest kind to find."""
        requests = read_gate_requests(container, grader)
        if requests is None or self.fault is not Fault.LEAKED_FEATURE:
            return requests
        column, rng = choose_column(container, self.fault), np.random.default_rng([self.seed, 2])
        return replace(requests, features=leak(requests.features, requests.gains, column, rng))


@dataclass(frozen=True, slots=True)
class HarmfulWork(ContainerWork):
    """Builds releases that the gate cannot find harmful: the serving model and index version, with ranking
    settings that leave few candidates, as a wrong change of settings does.

    The gate judges the order of items on pages that the serving settings made. Only viewers see the pages
    that a release makes by its own settings.
    """

    def build(self, run: str) -> Built:
        manager, name = build_release_manager(self.container), name_release(run)
        if name not in {release.id for release in manager.list_releases()}:
            stage_cut(self.container, name)
        return describe_candidate(self.container, read_staged(manager, name))


def choose_column(container: Container, fault: Fault) -> int:
    """Returns the feature that the serving model gains most from; for a leak, the one it gains least from."""
    model = read_serving_model(container)
    gains = {} if model is None else read_manifest(container.registry.find_directory(model)).gains
    ordered = sorted(FEATURE_NAMES, key=lambda name: gains.get(name, 0.0))
    return FEATURE_NAMES.index(ordered[0 if fault is Fault.LEAKED_FEATURE else -1])


def train_plainly(container: Container, progress: Progress, publisher: Publisher) -> None:
    """Trains as `reelrank loop` does, with one thread."""
    train(container, progress, TrainingSource.AUTO, publisher, OneThread())


def train_stale(path: Path, container: Container, progress: Progress, publisher: Publisher) -> None:
    """Trains, and gives the index version the vectors of an earlier training. path: of what was learned."""

    def publish(parts: Container, embeddings: Embeddings, bar: Progress, model: str) -> str:
        version = publisher(parts, age(embeddings), bar, model)
        write_vectors(path, embeddings)
        return version

    train(container, progress, TrainingSource.AUTO, publish, OneThread())


def stage_cut(container: Container, name: str) -> None:
    """Stores what serves under another name, with settings that cut its candidates; nothing is trained."""
    pointer = build_release_manager(container).settle()
    if pointer is None:
        raise NotFound("nothing serves that settings could harm", code="release_not_found")
    learned = container.settings.loop_dir / f"{pointer.serving.id}.npz"
    if learned.exists():
        shutil.copyfile(learned, learned.with_name(f"{name}.npz"))
    config = container.config.with_values({**pointer.serving.config, **CUT})
    changed = {"id": name, "created_at": container.clock.now(), "reason": "loop"}
    stage_release(
        build_release_manager(replace(container, config=config)),
        pointer.serving.model_copy(update=changed),
    )


def age(embeddings: Embeddings) -> Embeddings:
    """Returns embeddings with vectors as an earlier training would have learned them."""
    ids, vectors = embeddings.vectors[FIELD]
    aged = age_vectors(dict(zip(ids.tolist(), vectors, strict=True)), np.random.default_rng(0))
    return restate(
        embeddings, {**embeddings.vectors, FIELD: (ids, np.stack([aged[item] for item in ids.tolist()]))}
    )


def restate(embeddings: Embeddings, vectors: VectorFields) -> StatedEmbeddings:
    """Returns embeddings with other vectors and the same fingerprint."""
    fingerprint = embeddings.compute_fingerprint()
    return StatedEmbeddings(vectors, embeddings.neighbours, embeddings.fold_in, fingerprint)
