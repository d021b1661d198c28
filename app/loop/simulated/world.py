"""A folder with films, viewers whose truth is known, and a service in this process."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from reelrank.app.clock import SYSTEM_CLOCK, SteppedClock, to_ms
from reelrank.app.loop.machine import Loop, StepListener, ignore_step
from reelrank.app.loop.states import StateFile, Step
from reelrank.app.loop.steps import StepResult
from reelrank.app.loop.work import LoopWork
from reelrank.app.settings import Settings
from reelrank.app.simulation.films import Films, make_films
from reelrank.app.simulation.service_in_process import InProcessService, build_item, to_time
from reelrank.app.simulation.traffic import GroundTruth, Traffic, TrafficOptions
from reelrank.app.wiring import build_container
from reelrank.index_mappings.errors import Conflict
from reelrank.index_mappings.event import DAY_MS, HOUR_MS
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.progress import Progress
from reelrank.ranking.registry.decisions import FileHistory
from reelrank.ranking.registry.releases import Release, find_release

MARK = "simulation.json"
"""In a folder that a simulation made: only such a folder is replaced."""
FILM_AGE_DAYS = 100
STATED: dict[str, Any] = {
    "deadline_ms": 5000,
    "loop_min_requests": 10,
    "loop_min_traffic": 20,
    "shadow_share": 0.5,
    "shadow_requests": 50,
    "canary_share": 0.5,
    "canary_hours": 48.0,
    "watch_hours": 18.0,
    "gate_known_items": 20,
    "gate_drift": False,
    "gate_hours": 48.0,
    "gate_margin": 0.04,
}
"""Settings that differ from the defaults. The service is young: viewers, histories and counts grow by the
hour, so features drift for good reasons. The others fit a few hundred viewers."""


@dataclass(frozen=True, slots=True)
class SimulationSize:
    """How much is simulated. traffic_days: of pages of the first release; later_days: at most, for all that
    follows. judged_viewers: whose pages are compared by the truth."""

    viewers: int = 800
    films: int = 300
    traffic_days: float = 5.0
    later_days: float = 10.0
    judged_viewers: int = 100

    @property
    def days(self) -> float:
        return self.traffic_days + self.later_days


class SimulatedWorld:
    """Everything of one simulation. `service` answers viewers; loops run on a container of their own."""

    def __init__(self, directory: Path, seed: int, size: SimulationSize, progress: Progress) -> None:
        self.seed, self.size, self.progress = seed, size, progress
        self.settings = build_settings(directory)
        self.clock = SteppedClock(find_begin(size))
        self.container = build_container(self.settings, self.clock)
        self._options = TrafficOptions(seed, size.viewers, size.days, to_ms(self.clock.now()))
        self.films = Films(seed)
        self.truth = GroundTruth(self.films, self._options.create_viewers())
        self._load_films()
        parts = build_container(self.settings, self.clock)
        self.service = InProcessService(parts, self.clock, self.films, self.truth.viewers)
        self._traffic = Traffic(self._options, self.truth, self.service)

    def run_loop(self, work: LoopWork, on_step: StepListener = ignore_step) -> StepResult:
        """Runs the loop once, as `reelrank loop --once` does."""
        self.service.write_logs()
        directory = self.settings.loop_dir
        result = Loop(work, directory, FileHistory(directory), on_step).run_once()
        self.service.follow_releases()
        return result

    def is_idle(self) -> bool:
        """Returns whether no run is under way."""
        return StateFile(self.settings.loop_dir).read().step is Step.IDLE

    def find_candidate(self) -> Release:
        """Returns the release of the run that is under way. Raises NotFound before it is built."""
        name = StateFile(self.settings.loop_dir).read().release
        return find_release(self.container.releases.list_releases(), name)

    def count_pages(self) -> tuple[int, int]:
        """Returns how many pages had films, and how many failed; an empty page counts as neither."""
        return int(self._traffic.report.totals["pages"].sum()), self.service.failed_pages

    def serve(self, hours: float) -> None:
        """Serves viewers for some hours."""
        end_ms = self._traffic.now_ms + round(hours * HOUR_MS)
        self._traffic.run_until(end_ms, self.progress)
        self.clock.set(to_time(end_ms))

    def serve_pages(self, pages: int) -> None:
        """Serves viewers hour by hour until there are so many more pages."""
        before = self.count_pages()[0]
        while self.count_pages()[0] < before + pages:
            self.serve(1.0)

    def serve_until(self, hour: int) -> None:
        """Serves viewers until the next time that it is this hour of the day (UTC)."""
        ahead_ms = (hour * HOUR_MS - self._traffic.now_ms) % DAY_MS
        self.serve((ahead_ms or DAY_MS) / HOUR_MS)

    def close(self) -> None:
        self.service.close()

    def _load_films(self) -> None:
        made = make_films(self.seed, "film", self.size.films, self._options.start_ms - FILM_AGE_DAYS * DAY_MS)
        self.films.add(made)
        options = LoadOptions(created_at=self.clock.now())
        items = [build_item(film) for film in made]
        load_catalogue(items, self.container.engine, self.container.encoder, options, self.progress)


def build_settings(directory: Path) -> Settings:
    """Builds settings of a folder, whatever the environment states: a simulation touches nothing else."""
    stated = {**STATED, "data_dir": directory}
    return Settings.model_construct(_fields_set=set(stated), **stated)


def find_begin(size: SimulationSize) -> datetime:
    """Returns a midnight (UTC) so early that the whole simulation is over by now."""
    midnight = SYSTEM_CLOCK.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=int(size.days) + 1)


def prepare_folder(directory: Path, seed: int) -> None:
    """Makes an empty folder, in place of one that a simulation made. Raises Conflict for any other one."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / MARK).exists():
            raise Conflict(
                f"{directory} has files that no simulation made; name another folder",
                code="simulation_folder_in_use",
            )
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARK).write_bytes(orjson.dumps({"command": "reelrank loop --simulate", "seed": seed}))
