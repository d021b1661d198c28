"""Four experiments end to end over HTTP: an A/A, a good, a harmful and a mis-split one, with their verdicts.

Simulated viewers of a service whose catalogue nobody has watched. `good` and `harmful` share a layer, half of
the viewers each, and compare what serves with a home page of three films. In `lost` the app of some
viewers of one arm crashes: they send no request. All are measured from the lake alone.
"""

import shutil
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from flask.testing import FlaskClient

from benchmarks.scale.simulated_service import find_start, load_films, run_simulated_service
from reelrank.app.jobs.experiments.report import measure_experiment
from reelrank.app.settings import Settings
from reelrank.app.simulation.films import Film, Films
from reelrank.app.simulation.recommenders import Feedback, Pages, Recommender
from reelrank.app.simulation.service import ServiceRecommender
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions, run_traffic
from reelrank.app.simulation.viewers import Visits
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.web.ops.overview import Operations
from reelrank.app.wiring import (
    Container,
    build_container,
    build_release_manager,
    build_service,
    build_user_keys,
)
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import AssignedPage, Experiment
from reelrank.ranking.experiments.measurement.report import Verdict
from reelrank.ranking.experiments.store import FileExperiments
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.registry.decisions import FileHistory

VIEWERS, DAYS, FILMS = 700, 3, 400
LOST_SHARE = 0.4
"""Of the viewers of one arm, in the mis-split experiment."""
SHORT_PAGE = {
    "title": 0, "bm25": 0, "text_knn": 0, "factors": 0, "neighbours": 0, "session": 0, "recent": 0,
    "popular": 0, "fresh": 3,
}  # fmt: skip
"""A home page of three films."""
SECRET = "5e" * 32
EXPECTED = {
    "alike": Verdict.NO_DIFFERENCE,
    "good": Verdict.BETTER,
    "harmful": Verdict.HARMFUL,
    "lost": Verdict.MIS_SPLIT,
}


@dataclass(frozen=True, slots=True)
class ReadVerdict:
    """One experiment: what was said of it, and whether the pages say the same."""

    name: str
    verdict: str
    sentence: str
    is_expected: bool
    is_on_page: bool


class CrashingApp:
    """Passes visits on, but those of some viewers get an empty page and are never sent. lost [v]: viewers."""

    def __init__(self, inner: Recommender, lost: Sequence[bool]) -> None:
        self._inner = inner
        self._lost = np.asarray(lost, np.bool_)

    def recommend(self, visits: Visits, size: int) -> Pages:
        sent = ~self._lost[visits.rows]
        rows, ids = np.full((len(visits), size), -1, np.intp), [""] * len(visits)
        surfaces = ["home"] * len(visits)
        if sent.any():
            pages = self._inner.recommend(Visits(visits.rows[sent], visits.at_ms[sent]), size)
            rows[sent] = pages.rows
            for place, request_id, surface in zip(
                np.flatnonzero(sent).tolist(), pages.request_ids, pages.surfaces, strict=True
            ):
                ids[place], surfaces[place] = request_id, surface
        return Pages(rows, ids, surfaces)

    def observe(self, feedback: Feedback) -> None:
        self._inner.observe(feedback)

    def publish(self, films: Sequence[Film], at_ms: int) -> None:
        self._inner.publish(films, at_ms)

    def advance(self, now_ms: int) -> None:
        self._inner.advance(now_ms)


def list_definitions() -> list[dict[str, Any]]:
    """Returns the four definitions, as a person would send them."""
    plain, other = {"name": "control", "share": 0.5}, {"name": "treatment", "share": 0.5}
    shared = {
        "primary": "watch_s_per_viewer",
        "planned_days": DAYS,
        "exclusions": {"surfaces": ["search", "similar"]},
    }
    ranking = {**shared, "layer": "ranking", "traffic": 0.5}
    short_control, short_treatment = {**plain, "config": SHORT_PAGE}, {**other, "config": SHORT_PAGE}
    return [
        {**shared, "name": "alike", "layer": "alike", "arms": [plain, other],
         "hypothesis": "Both arms are the same, so nothing differs."},
        {**ranking, "name": "good", "arms": [short_control, other],
         "hypothesis": "A whole page is watched longer than one of three films."},
        {**ranking, "name": "harmful", "arms": [plain, short_treatment],
         "hypothesis": "Three films are enough for a home page."},
        {**shared, "name": "lost", "layer": "lost", "arms": [plain, other],
         "hypothesis": "The new app changes nothing."},
    ]  # fmt: skip


def run_verdicts(viewers: int = VIEWERS, days: int = DAYS, seed: int = 0) -> list[ReadVerdict]:
    """Serves all four at once, measures them, and reads the pages."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reelrank-verdicts-") as folder:
        data_dir = Path(folder, "data")
        films = load_films(data_dir, FILMS)
        write_secret(Settings(data_dir=data_dir).lake_key)
        options = TrafficOptions(seed, viewers, days, find_start(days))
        start = datetime.fromtimestamp(options.start_ms / 1000, UTC)
        store = FileExperiments(Settings(data_dir=data_dir).experiments_dir, lambda: start)
        for definition in list_definitions():
            store.create(ExperimentDefinition.model_validate(definition))
            store.start(definition["name"])
        known, people = Films(seed), options.create_viewers()
        known.add(films)
        truth, lost = GroundTruth(known, people), find_lost(data_dir, store.find("lost"), people.ids)
        with run_simulated_service(data_dir) as url:
            service = ServiceRecommender(url, known, people)
            run_traffic(options, truth, CrashingApp(service, lost), ignore_progress)
            service.close()
        print(f"served in {time.monotonic() - began:.0f} s", flush=True)
        outcomes = read_outcomes(build_container(Settings(data_dir=data_dir)))
        shutil.rmtree(data_dir, ignore_errors=True)
        return outcomes


def write_secret(path: Path) -> None:
    """Writes the secret of the viewers' keys: the same viewers are in the same arms in each run."""
    path.touch(mode=0o600)
    path.write_text(f"{SECRET}\n")


def find_lost(data_dir: Path, experiment: Experiment, users: Sequence[str]) -> list[bool]:
    """Returns which viewers never send a request: a share of those of the second arm."""
    keys = build_user_keys(Settings(data_dir=data_dir))
    arms = [experiment.find_arm(AssignedPage(keys.get_key(user))) for user in users]
    second = experiment.definition.arms[1].name
    return [
        arm is not None and arm.name == second and zlib.crc32(user.encode()) < LOST_SHARE * 2**32
        for arm, user in zip(arms, users, strict=True)
    ]


def read_outcomes(container: Container) -> list[ReadVerdict]:
    """Measures the experiments from the lake, and looks each verdict up on its page."""
    pages, outcomes = open_pages(container), list[ReadVerdict]()
    for name, expected in EXPECTED.items():
        report = measure_experiment(container, name, ignore_progress)
        found = report.verdicts[0]
        text = pages.get(f"/ops/experiments/{name}").text
        is_on_page = f"{found.verdict.capitalize()}." in text
        is_right = found.verdict is expected
        outcomes.append(ReadVerdict(name, found.verdict, found.sentence, is_right, is_on_page))
    return outcomes


def open_pages(container: Container) -> FlaskClient:
    settings, history = container.settings, FileHistory(container.settings.loop_dir)
    operations = Operations(
        build_release_manager(container), history, settings.reports_dir, settings.loads_dir
    )
    options = WebOptions(
        1_000_000, settings.reports_dir, operations=operations, experiments=container.experiments
    )
    return create_app(build_service(container), options).test_client()
