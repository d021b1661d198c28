"""The releases on trial in a worker: loaded in a thread of their own, so that serving never waits."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from reelrank.app.state.snapshot import State
from reelrank.ranking.experiments.assignment import assign_variant
from reelrank.ranking.registry.releases import Canary, Pointer, Release

log = structlog.get_logger("reelrank.trial")

StateLoader = Callable[[Release, State | None], State]
"""Loads the state of a release; given the state of before, only counts new events."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What a worker tries. Both states are None until they are loaded, or when that failed.

    serving: the id of the serving release.
    """

    serving: str = ""
    canary: Canary | None = None
    canary_state: State | None = None
    shadow: Release | None = None
    shadow_state: State | None = None

    @property
    def canary_release(self) -> str:
        return self.canary.release.id if self.canary is not None else ""

    def find_arm(self, viewer: str) -> tuple[str, str]:
        """Returns experiment and variant of a viewer, by the keyed hash; empty for an unknown one, and until
        the canary is loaded."""
        if self.canary is None or self.canary_state is None or not viewer:
            return "", ""
        return self.canary.salt, assign_variant(self.canary.salt, viewer, self.canary.share)


class TrialStates:
    """Follows the canary and the shadow of the release pointer."""

    def __init__(self, load: StateLoader) -> None:
        self.current = Trial()
        self._load = load
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
        self.current = Trial(
            now.serving,
            now.canary,
            state if now.canary is not None and now.canary.release.id == release.id else now.canary_state,
            now.shadow,
            state if now.shadow is not None and now.shadow.id == release.id else now.shadow_state,
        )

    def _find_state(self, release: Release | None, among: Trial) -> State | None:
        states = (among.canary_state, among.shadow_state)
        return next(
            (s for s in states if s is not None and release is not None and s.release == release.id), None
        )
