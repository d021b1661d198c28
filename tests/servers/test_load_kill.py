"""kill -9 at each step of a load into a server: the old version serves, the same command ends the load."""

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

from app.engines.server.engine import ServerEngine
from index_mappings.item import Document, Item
from tests.servers.proxy import Proxy
from tests.servers.server import Server, kinds

COMMAND = (sys.executable, "-c", "from app.cli.main import main; main()")
OLD, NEW = 50, 6000

pytestmark = pytest.mark.parametrize("server", kinds("elasticsearch-9", "opensearch-2"), indirect=True)


@dataclass(frozen=True, slots=True)
class Step:
    """A request of a load: its method and words of its path. number: which of these requests, from 1."""

    method: str
    words: str
    number: int = 1


MAKING = Step("PUT", "items-")
WRITING = Step("POST", "/_bulk", 2)
COUNTING = Step("GET", "/_stats/docs", 2)  # the first one asks which versions there are
HOLDING = Step("PUT", "/_block/write")
SWAPPING = Step("POST", "/_aliases")


@dataclass(frozen=True, slots=True)
class House:
    """A folder with a catalogue, and a proxy before the server."""

    folder: Path
    prefix: str
    product: str
    proxy: Proxy

    def started(self) -> "subprocess.Popen[str]":
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

    def loaded(self) -> dict[str, object]:
        with self.started() as load:
            out, err = load.communicate(timeout=120)
        assert load.returncode == 0, err
        report: dict[str, object] = json.loads(out)
        return report

    def killed(self, step: Step, answered: bool) -> None:
        """answered: killed when the server has done what was asked, before the load hears of it."""
        met, begun = list[str](), threading.Event()

        def passes(request: str) -> bool:
            method, _, path = request.partition(" ")
            met.extend([path] * (method == step.method and step.words in path))
            if len(met) < step.number:
                return True
            begun.wait()
            load.kill()
            return False

        self.proxy.on_answer, self.proxy.on_request = (passes, None) if answered else (None, passes)
        with self.started() as load:
            begun.set()
            load.communicate(timeout=120)
        self.proxy.on_answer = self.proxy.on_request = None
        assert load.returncode == -9


@pytest.fixture
def house(server: Server, prefix: str, tmp_path: Path) -> Iterator[House]:
    rows = "".join(f"f{n},New film {n}\n" for n in range(NEW))
    (tmp_path / "new.csv").write_text("id,title\n" + rows)
    proxy = Proxy(int(server.url.rpartition(":")[2]))
    yield House(tmp_path, prefix, server.product, proxy)
    proxy.stop()


def titles(engine: ServerEngine) -> Counter[str]:
    version = engine.serving_version()
    assert version is not None
    return Counter(document.item.title for batch in engine.scan(version) for document in batch)


OLD_FILMS = Counter(f"Old film {n}" for n in range(OLD))
NEW_FILMS = Counter(f"New film {n}" for n in range(NEW))


@pytest.mark.parametrize(
    ("step", "answered"),
    [
        pytest.param(MAKING, True, id="the new version is made"),
        pytest.param(WRITING, True, id="in the middle of writing"),
        pytest.param(COUNTING, False, id="before it is verified"),
        pytest.param(HOLDING, True, id="writers are held"),
        pytest.param(SWAPPING, False, id="before the alias is moved"),
        pytest.param(SWAPPING, True, id="the alias is moved"),
    ],
)
def test_a_load_killed_at_a_step_leaves_the_old_version_serving_and_the_same_command_ends_it(
    server: Server, engine: ServerEngine, house: House, step: Step, answered: bool
) -> None:
    engine.create_index("items-old")
    engine.write("items-old", [Document(Item(f"f{n}", f"Old film {n}")) for n in range(OLD)])
    engine.promote("items-old")
    house.killed(step, answered)
    has_swapped = (step, answered) == (SWAPPING, True)
    assert titles(engine) == (NEW_FILMS if has_swapped else OLD_FILMS)
    report = house.loaded()
    assert (report["read"], report["written"], report["kept"]) == (NEW, NEW, NEW)
    assert titles(engine) == NEW_FILMS
    assert len(engine.versions()) == 2
    assert engine.upsert([Document(Item("f0", "Changed"))]).written == 1
