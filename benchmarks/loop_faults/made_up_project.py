"""A small project that the loop learns from in a second: real index, lake and releases, a made-up trainer."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import lightgbm
import numpy as np

from benchmarks.scale.simulated_service import load_films
from reelrank.app.clock import to_ms
from reelrank.app.jobs.training import publish
from reelrank.app.loop.candidates import build_candidate
from reelrank.app.loop.container_work import ContainerWork
from reelrank.app.loop.work import Built, Labelled, Observation, Trend
from reelrank.app.release.staging import read_staged, start_trial
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_release_manager
from reelrank.index_mappings.event import MAX_TIME_MS, Event
from reelrank.ranking.drift.histograms import PROFILE_FILE, Profile, write_profile
from reelrank.ranking.embeddings.learn_embeddings import Embeddings, learn_embeddings
from reelrank.ranking.embeddings.watches import build_event_table, select_watches
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.manifest import Manifest
from reelrank.ranking.registry.decisions import Check
from reelrank.ranking.registry.releases import Canary

FILMS, VIEWERS, WATCHES = 24, 40, 6
ROWS, GROUP = 400, 20
PROJECT_SETTINGS = {"gate_known_items": 0, "deadline_ms": 5000, "gate_drift": False}


def open_project(data_dir: Path) -> Container:
    """Opens the project of a data directory, in this process."""
    return build_container(Settings.model_validate({"data_dir": data_dir, **PROJECT_SETTINGS}))


def make_project(data_dir: Path) -> None:
    """Loads films, lets each viewer watch some, and makes a first release with a model serve."""
    films = load_films(data_dir, FILMS)
    container, rng, now_ms = open_project(data_dir), np.random.default_rng(0), to_ms(datetime.now(UTC))
    watches = [
        Event(f"first-{viewer}-{n}", "watch", f"viewer-{viewer}", now_ms - 1_000_000 + n, films[n].id, 9, 10)
        for viewer in range(VIEWERS)
        for n in (rng.permutation(FILMS // 2)[:WATCHES] + FILMS // 2 * (viewer % 2)).tolist()
    ]
    container.events.append(watches)
    train_made_up(container, ignore_progress, publish)


def train_made_up(container: Container, progress: Progress, publisher: object = None) -> None:
    """Stands for a training: embeddings are learned; trees are fitted to noise, another one each time."""
    table = build_event_table(container.events.scan(0, MAX_TIME_MS))
    learned: Embeddings = learn_embeddings(select_watches(table, MAX_TIME_MS), seed=len(table))
    model = register_model(container, len(table), learned.compute_fingerprint())
    profile = Profile({}, requests=100, source="made-up requests")
    write_profile(container.registry.find_directory(model) / PROFILE_FILE, profile)
    assert callable(publisher)
    publisher(container, learned, progress, model)


def register_model(container: Container, seed: int, embeddings: str) -> str:
    """Registers a model that fits this build, and returns its id."""
    rng = np.random.default_rng(seed)
    rows = rng.random((ROWS, len(FEATURE_NAMES))).astype(np.float32)
    wanted = (rows @ rng.normal(size=len(FEATURE_NAMES)) > 0).astype(int)
    data = lightgbm.Dataset(rows, wanted, group=[GROUP] * (ROWS // GROUP), feature_name=list(FEATURE_NAMES))
    params = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    text = lightgbm.train(params, data, num_boost_round=3).model_to_string()
    manifest = Manifest(
        features=FEATURE_NAMES,
        feature_fingerprint=compute_feature_fingerprint(FEATURE_NAMES),
        embeddings_fingerprint=embeddings,
    )
    return container.registry.register(manifest, text, rows[:30])


class MadeUpTrials(ContainerWork):
    """The work of the loop with a made-up trainer and made-up verdicts. The lake, index versions, releases,
    trials, promotion and rollback are real. Every promoted release is found worse, so that all steps run."""

    def label(self, since_ms: int) -> Labelled:
        return replace(super().label(since_ms), least=0, least_judged=0)

    def build(self, run: str) -> Built:
        return build_candidate(self.container, run, self.progress, train_made_up)

    def judge(self, release: str) -> list[Check]:
        checks = [check for check in super().judge(release) if check.name != "order"]
        return [*checks, Check(name="order", passed=True, sentence="the order is not judged here")]

    def has_traffic(self) -> bool:
        return True

    def observe_shadow(self, release: str, since: datetime | None) -> Observation:
        manager = build_release_manager(self.container)
        if since is None:
            start_trial(manager, None, read_staged(manager, release))
            return Observation(Trend.WAIT, "the shadow begins")
        start_trial(manager, None, None)
        return Observation(Trend.GOOD, "made up")

    def observe_canary(self, release: str, since: datetime | None) -> Observation:
        manager = build_release_manager(self.container)
        if since is None:
            staged = read_staged(manager, release)
            start_trial(manager, Canary(release=staged, share=0.5, salt=release, since=self.now()), None)
            return Observation(Trend.WAIT, "the canary begins")
        return Observation(Trend.GOOD, "made up")

    def observe_promoted(self, release: str, baseline: str, since: datetime) -> Observation:
        return Observation(Trend.BAD, "made up")


def add_watch(container: Container, name: str) -> None:
    """Adds an event, so that there is something new to learn from."""
    container.events.append([Event(name, "watch", "viewer-0", to_ms(datetime.now(UTC)), "film-0", 9, 10)])
