"""Own data: from two files to recommendations, by the command line alone."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers.server import EngineSettingsFactory

TOPICS = ("Sea", "Space", "War", "Love", "Crime")
FILMS, VIEWERS, WATCHES = 150, 60, 2500
START_MS = 1_760_000_000_000


@pytest.fixture
def project(ground: EngineSettingsFactory, tmp_path: Path) -> Path:
    settings = "".join(f"REELRANK_{name.upper()}={value}\n" for name, value in ground().items())
    (tmp_path / "reelrank.env").write_text(settings)
    write_own_data(tmp_path)
    return tmp_path


def write_own_data(folder: Path) -> None:
    """films.csv and events.jsonl, as a catalogue and a player would export them."""
    films = [f"v{n},{TOPICS[n % 5]} story {n},{TOPICS[n % 5]},20{10 + n % 14}-03-10\n" for n in range(FILMS)]
    (folder / "films.csv").write_text("videoId,name,categories,publishedAt\n" + "".join(films))
    seeded = random.Random(2)
    (folder / "events.jsonl").write_text("".join(build_watch(n, seeded) for n in range(WATCHES)))


def build_watch(number: int, seeded: random.Random) -> str:
    """A UBI line: each viewer finishes films of one topic and now and then stops one of another."""
    viewer, liked = number % VIEWERS, seeded.random() < 0.9
    film = seeded.randrange(FILMS // 5) * 5 + (viewer if liked else viewer + 1) % 5
    attributes = {
        "object": {"object_id": f"v{film}"},
        "watched_ms": 4_500_000 if liked else 200_000,
        "duration_ms": 5_000_000,
    }
    moment = START_MS + number * 600_000
    event = {"action_name": "watch", "client_id": f"u{viewer}", "timestamp": moment}
    return json.dumps({**event, "event_attributes": attributes}) + "\n"


def run(project: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", "from reelrank.app.cli.main import main; main()", *arguments, "--json"],
        cwd=project,
        env={**os.environ, "REELRANK_DATA_DIR": str(project / "data"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.slow
def test_two_files_and_a_training_run_make_lasting_recommendations(project: Path) -> None:
    assert run(project, "load", "items", "films.csv")["kept"] == FILMS
    found = run(project, "search", "space story")
    assert found["model"] == "engine-order"
    assert found["hits"][0]["title"].startswith("Space story")
    assert run(project, "load", "events", "events.jsonl")["kept"] == WATCHES
    model = run(project, "train")["model"]
    assert run(project, "load", "items", "films.csv")["kept"] == FILMS
    home = run(project, "recommend", "u2")
    assert home["model"] == model
    assert {title.split()[0] for title in (hit["title"] for hit in home["hits"][:5])} == {"War"}
    assert any("factors" in hit["ranks"] for hit in home["hits"])
