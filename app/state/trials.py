"""What is on trial in a worker: releases, loaded in a thread of their own, and running experiments."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from reelrank.app.state.snapshot import State
from reelrank.index_mappings.errors import EngineError, explain
from reelrank.ranking.experiments.assignment import NO_ARM, ArmNames, assign_variant
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.registry.releases import Canary, Pointer, Release

log = structlog.get_logger("reelrank.trial")

StateLoader = Callable[[Release, State | None], State]
"""Loads the state of a release; given the state of before, only counts new events."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What a worker tries. Both states are None until they are loaded, or when that failed.

    serving: the id of the serving release. experiments: those that run.
    """

    serving: str = ""
    canary: Canary | None = None
    canary_state: State | None = None
    shadow: Release | None = None
    shadow_state: State | None = None
    experiments: tuple[Experiment, ...] = ()

    @property
    def canary_release(self) -> str:
        return self.canary.release.id if self.canary is not None else ""

    def find_arm(self, viewer: str) -> ArmNames:
        """Returns the canary and the variant of a viewer, by the keyed hash; empty for an unknown one, and
        until the canary is loaded."""
        if self.canary is None or self.canary_state is None or not viewer:
            return NO_ARM
        return self.canary.salt, assign_variant(self.canary.salt, viewer, self.canary.share)


class TrialStates:
    """Follows the canary and the shadow of the release pointer, and the experiments.

    list_running: returns the experiments that run; raises EngineError.
    """

    def __init__(self, load: StateLoader, list_running: Callable[[], tuple[Experiment, ...]]) -> None:
        self.current = Trial()
        self._load = load
        self._list_running = list_running
        self._problem = ""
        self._loading: threading.Thread | None = None
        self._failed: set[str] = set()

    def follow(self, pointer: Pointer | None) -> None:
        """Takes up what the pointer names. What it no longer names ends at once, for the next request."""
        canary = pointer.canary if pointer is not None else None
        shadow = pointer.shadow if pointer is not None else None
        before = self.current
        self.current = Trial(
            pointer.serving.id if pointer is not None else "",
            canary,
            self._find_state(canary.release if canary else None, before),
            shadow,
            self._find_state(shadow, before),
            self._read_experiments(),
        )
        wanted = [release for release in (canary.release if canary else None, shadow) if release is not None]
        if wanted and (self._loading is None or not self._loading.is_alive()):
            self._loading = threading.Thread(target=self._load_all, args=(wanted,), daemon=True, name="trial")
            self._loading.start()

    def wait(self, timeout_s: float) -> None:
        """Waits until what is being loaded is there, for tests."""
        if self._loading is not None:
            self._loading.join(timeout_s)

    def _load_all(self, releases: list[Release]) -> None:
        for release in releases:
            if release.id in self._failed:
                continue
            try:
                state = self._load(release, self._find_state(release, self.current))
            except Exception as error:  # a release on trial must not end the thread, nor the worker
                self._failed.add(release.id)
                log.warning("a release on trial is not loaded", release=release.id, reason=repr(error)[:300])
                continue
            self._publish(release, state)

    def _publish(self, release: Release, state: State) -> None:
        """Puts a loaded state in place, if the release is still on trial."""
        now = self.current
        is_canary = now.canary is not None and now.canary.release.id == release.id
        is_shadow = now.shadow is not None and now.shadow.id == release.id
        self.current = replace(
            now,
            canary_state=state if is_canary else now.canary_state,
            shadow_state=state if is_shadow else now.shadow_state,
        )

    def _read_experiments(self) -> tuple[Experiment, ...]:
        """Returns those of before while they cannot be read: a damaged file must not change an arm."""
        try:
            running, self._problem = self._list_running(), ""
        except EngineError as error:
            if str(error) != self._problem:
                log.warning("experiments are not read", reason=explain(error))
            self._problem = str(error)
            return self.current.experiments
        return running

    def _find_state(self, release: Release | None, among: Trial) -> State | None:
        states = (among.canary_state, among.shadow_state)
        return next(
            (s for s in states if s is not None and release is not None and s.release == release.id), None
        )
