"""kill -9 at each step of a load into a server: the old version serves, and the load can be repeated."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.index_mappings.item import Document, Item
from tests.servers.proxy import Proxy
from tests.servers.server import Server, build_kind_params

COMMAND = (sys.executable, "-c", "from reelrank.app.cli.main import main; main()")
OLD, NEW = 50, 6000

pytestmark = pytest.mark.parametrize(
    "server", build_kind_params("elasticsearch-9", "opensearch-2"), indirect=True
)


@dataclass(frozen=True, slots=True)
class LoadStep:
    """A request of a load: its method and a part of its path. number: which of these requests, from 1."""

    method: str
    path_part: str
    number: int = 1


CREATING = LoadStep("PUT", "items-")
WRITING = LoadStep("POST", "/_bulk", 2)
COUNTING = LoadStep("GET", "/_stats/docs", 2)  # the first one lists the versions
BLOCKING = LoadStep("PUT", "/_block/write")
SWAPPING = LoadStep("POST", "/_aliases")


@dataclass(frozen=True, slots=True)
class LoadSetup:
    """A directory with a catalogue, and a proxy in front of the server."""

    folder: Path
    prefix: str
    product: str
    proxy: Proxy

    def start_load(self) -> "subprocess.Popen[str]":
        settings = {
            "REELRANK_DATA_DIR": str(self.folder / "data"),
            "REELRANK_ENGINE": self.product,
            "REELRANK_ENGINE_URL": self.proxy.url,
            "REELRANK_ENGINE_PREFIX": self.prefix,
        }
        return subprocess.Popen(
            [*COMMAND, "load", "items", "new.csv", "--json"],
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_load(self) -> dict[str, object]:
        with self.start_load() as load:
            out, err = load.communicate(timeout=120)
        assert load.returncode == 0, err
        report: dict[str, object] = json.loads(out)
        return report

    def kill_load(self, step: LoadStep, answered: bool) -> None:
        """answered: kill the load after the server executed the request, before the response arrives."""
        seen, started = list[str](), threading.Event()

        def let_pass(request: str) -> bool:
            method, _, path = request.partition(" ")
            seen.extend([path] * (method == step.method and step.path_part in path))
            if len(seen) < step.number:
                return True
            started.wait()
            load.kill()
            return False

        self.proxy.on_response, self.proxy.on_request = (let_pass, None) if answered else (None, let_pass)
        with self.start_load() as load:
            started.set()
            load.communicate(timeout=120)
        self.proxy.on_response = self.proxy.on_request = None
        assert load.returncode == -9


@pytest.fixture
def setup(server: Server, prefix: str, tmp_path: Path) -> Iterator[LoadSetup]:
    rows = "".join(f"f{n},New film {n}\n" for n in range(NEW))
    (tmp_path / "new.csv").write_text("id,title\n" + rows)
    proxy = Proxy(int(server.url.rpartition(":")[2]))
    yield LoadSetup(tmp_path, prefix, server.product, proxy)
    proxy.stop()


def read_titles(engine: ServerEngine) -> Counter[str]:
    version = engine.serving_version()
    assert version is not None
    return Counter(document.item.title for batch in engine.scan(version) for document in batch)


OLD_FILMS = Counter(f"Old film {n}" for n in range(OLD))
NEW_FILMS = Counter(f"New film {n}" for n in range(NEW))


@pytest.mark.parametrize(
    ("step", "answered"),
    [
        pytest.param(CREATING, True, id="the new version is created"),
        pytest.param(WRITING, True, id="in the middle of writing"),
        pytest.param(COUNTING, False, id="before it is verified"),
        pytest.param(BLOCKING, True, id="writes are blocked"),
        pytest.param(SWAPPING, False, id="before the alias is moved"),
        pytest.param(SWAPPING, True, id="the alias is moved"),
    ],
)
def test_a_load_killed_at_any_step_can_be_repeated(
    server: Server, engine: ServerEngine, setup: LoadSetup, step: LoadStep, answered: bool
) -> None:
    engine.create_index("items-old")
    engine.write("items-old", [Document(Item(f"f{n}", f"Old film {n}")) for n in range(OLD)])
    engine.promote("items-old")
    setup.kill_load(step, answered)
    has_swapped = (step, answered) == (SWAPPING, True)
    assert read_titles(engine) == (NEW_FILMS if has_swapped else OLD_FILMS)
    report = setup.run_load()
    assert (report["read"], report["written"], report["kept"]) == (NEW, NEW, NEW)
    assert read_titles(engine) == NEW_FILMS
    assert len(engine.versions()) == 2
    assert engine.upsert([Document(Item("f0", "Changed"))]).written == 1
