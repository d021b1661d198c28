"""A service with a simulated clock on made-up films, and the viewers that it serves over HTTP."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reelrank.app.cli.serve import GUNICORN_COMMAND
from reelrank.app.clock import to_ms
from reelrank.app.diagnostics.smoke_test import find_free_port, run_service
from reelrank.app.settings import Settings
from reelrank.app.simulation.films import Film, make_films
from reelrank.app.simulation.report import TrafficReport
from reelrank.app.simulation.service import ServiceRecommender
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions, run_traffic
from reelrank.app.wiring import build_container
from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.item import Item
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.progress import ignore_progress

FILM_AGE_DAYS = 100
READY_TIMEOUT_S = 300.0


def load_films(data_dir: Path, count: int) -> list[Film]:
    """Loads made-up films into a new data directory: no events, no embeddings, no model."""
    made = make_films(0, "film", count, find_start(0) - FILM_AGE_DAYS * DAY_MS)
    container = build_container(Settings(data_dir=data_dir))
    items = [
        Item(
            film.id, f"Film {film.id.rpartition('-')[2]}", genres=film.genres,
            duration_s=(film.duration_ms or 0) // 1000,
            published_at=datetime.fromtimestamp((film.published_ms or 0) / 1000, UTC),
        )
        for film in made
    ]  # fmt: skip
    load_catalogue(items, container.engine, container.encoder, LoadOptions(created_at=datetime.now(UTC)))
    return made


def find_start(days: float) -> int:
    """Returns the midnight (UTC) so many days before the last one."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return to_ms(today - timedelta(days=days)) // DAY_MS * DAY_MS


def serve(options: TrafficOptions, truth: GroundTruth, data_dir: Path) -> TrafficReport:
    """Serves simulated viewers over HTTP until the simulated time is over; the service ends in order."""
    with run_simulated_service(data_dir) as url:
        recommender = ServiceRecommender(url, truth.films, truth.viewers)
        recommender.check_clock()
        try:
            return run_traffic(options, truth, recommender, ignore_progress)
        finally:
            recommender.close()


@contextmanager
def run_simulated_service(data_dir: Path) -> Iterator[str]:
    """Runs one worker with a simulated clock until the block ends; yields its address."""
    port = find_free_port("127.0.0.1")
    settings = {
        "DATA_DIR": str(data_dir), "PORT": str(port), "CLOCK": "simulated", "WORKERS": "1",
        "DEADLINE_MS": "5000", "ANSWER_WITHIN_MS": "30000", "LOG_SHARE": "1",
    }  # fmt: skip
    stated = {f"REELRANK_{name}": value for name, value in settings.items()}
    before = {name: os.environ.get(name) for name in stated}
    os.environ.update(stated)
    try:
        url = f"http://127.0.0.1:{port}"
        with run_service(GUNICORN_COMMAND, url, data_dir / "serve.log", READY_TIMEOUT_S):
            yield url
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
