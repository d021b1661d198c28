"""`python -m benchmarks kills`: kills processes while events are sent, and looks for lost and doubled ones.

The service of a copied demo takes events from several clients. At random moments a worker, the whole service
or a command beside it (export, compaction, erasure, promotion, rollback) gets SIGKILL. In the end the event
store, and the lake after a last export, must hold each acknowledged event once.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import urllib3

from benchmarks.loop_faults.processes import list_children
from reelrank.app.cli.serve import GUNICORN_COMMAND
from reelrank.app.diagnostics.smoke_test import find_free_port
from reelrank.app.jobs.lake import export_lake
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_lake_storage
from reelrank.index_mappings.decision import EVENTS
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.progress import ignore_progress

CLIENTS, BATCH = 3, 4
MAX_PAUSE_S, MAX_COMMAND_S = 0.6, 3.0
TARGETS = ("worker",) * 6 + ("service",) + ("command",) * 3
COMMANDS = (
    ("lake", "export"),
    ("lake", "compact"),
    ("users", "erase", "viewer-of-none", "--yes", "--no-wait"),
    ("promote", "engine-order"),
    ("releases", "rollback"),
)
ANSWER_WAIT_S = 60.0
"""How long a service that was started may take until it acknowledges events."""
COMMAND = (sys.executable, "-P", "-m", "reelrank.app.cli")


@dataclass(slots=True)
class Traffic:
    """What clients sent. acknowledged: ids whose batch was answered with 200."""

    url: str
    run: str
    acknowledged: set[str] = field(default_factory=set)
    failed: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def send(self, client: int) -> None:
        """Sends batches until the run ends. A batch that failed is sent again under the same ids."""
        http, number, batch = urllib3.PoolManager(retries=False), 0, list[dict[str, object]]()
        while not self.stopping.is_set():
            if not batch:
                ids = [f"{self.run}-{client}-{number + n}" for n in range(BATCH)]
                batch = [{"id": name, "kind": "watch", "user": f"kill-{client}", "item": "x"} for name in ids]
                number += BATCH
            try:
                answer = http.request("POST", f"{self.url}/v1/events", json=batch, timeout=10.0)
            except urllib3.exceptions.HTTPError:
                answer = None
            if answer is not None and answer.status == 200:
                self.acknowledged.update(str(event["id"]) for event in batch)
                batch = []
            else:
                self.failed += 1
                time.sleep(0.05)

    def wait_for_answer(self) -> None:
        """Waits until more events are acknowledged than now."""
        count, until = len(self.acknowledged), time.monotonic() + ANSWER_WAIT_S
        while len(self.acknowledged) == count and time.monotonic() < until:
            time.sleep(0.05)


@dataclass(slots=True)
class Victims:
    """The processes that are killed. kills: by kind."""

    environment: dict[str, str]
    log: Path
    random: random.Random
    service: subprocess.Popen[bytes] | None = None
    command: subprocess.Popen[bytes] | None = None
    kills: Counter[str] = field(default_factory=Counter)

    def start_service(self) -> None:
        with self.log.open("ab") as log:
            self.service = subprocess.Popen(
                GUNICORN_COMMAND, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill_one(self) -> str:
        """Kills a process of a random kind, if one is there; returns which, empty for none."""
        kind = self.random.choice(TARGETS)
        if kind == "worker" and (workers := self._list_workers()):
            os.kill(self.random.choice(workers), signal.SIGKILL)
        elif kind == "service" and self.service is not None:
            os.killpg(self.service.pid, signal.SIGKILL)
            self.service.wait()
            self.start_service()
        elif kind == "command":
            kind = self._kill_command()
        else:
            return ""
        self.kills[kind] += 1
        return kind

    def _kill_command(self) -> str:
        """Starts a random command, and kills it after a random time unless it has ended."""
        arguments = self.random.choice(COMMANDS)
        with self.log.open("ab") as log:
            command = subprocess.Popen((*COMMAND, *arguments), env=self.environment, stdout=log, stderr=log)
        with suppress(subprocess.TimeoutExpired):
            command.wait(self.random.uniform(0, MAX_COMMAND_S))
            return f"{' '.join(arguments[:2])} (ended before)"
        command.kill()
        command.wait()
        return " ".join(arguments[:2])

    def _list_workers(self) -> list[int]:
        if self.service is None:
            return []
        with suppress(OSError):
            return list_children(self.service.pid)
        return []


def main(arguments: Sequence[str]) -> int:
    """Prints kills and events. Returns 1 if an acknowledged event is lost or doubled, or none was there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks kills", description=__doc__)
    parser.add_argument("--demo", type=Path, required=True, help="data directory of a demo; it is copied")
    parser.add_argument("--kills", type=int, default=1000, help="most kills")
    parser.add_argument("--minutes", type=float, default=15, help="most minutes of traffic")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="reelrank-kills-") as directory:
        data_dir = Path(directory) / "data"
        shutil.copytree(options.demo, data_dir)
        return run(data_dir, options.kills, options.minutes * 60, options.seed)


def run(data_dir: Path, kills: int, seconds: float, seed: int) -> int:
    """Sends events, kills once some are acknowledged, and counts once others are after the last kill."""
    port = find_free_port("127.0.0.1")
    environment = os.environ | {
        "REELRANK_DATA_DIR": str(data_dir), "REELRANK_PORT": str(port), "REELRANK_WORKERS": "2",
        "REELRANK_CONNECTIONS_PER_ADDRESS": "0", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    victims = Victims(environment, data_dir.parent / "kills.log", random.Random(seed))
    traffic = Traffic(f"http://127.0.0.1:{port}", f"kill{seed}")
    victims.start_service()
    clients = [threading.Thread(target=traffic.send, args=(client,)) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        traffic.wait_for_answer()
        until = time.monotonic() + seconds
        while sum(victims.kills.values()) < kills and time.monotonic() < until:
            time.sleep(victims.random.uniform(0, MAX_PAUSE_S))
            if victims.kill_one() == "service":  # what is killed while it starts has acknowledged nothing
                traffic.wait_for_answer()
        traffic.wait_for_answer()
    finally:
        traffic.stopping.set()
        for client in clients:
            client.join()
        if victims.service is not None:
            with suppress(ProcessLookupError):
                os.killpg(victims.service.pid, signal.SIGKILL)
            victims.service.wait()
    return report(build_container(Settings.model_validate({"data_dir": data_dir})), traffic, victims.kills)


def report(container: Container, traffic: Traffic, kills: Counter[str]) -> int:
    """Prints what was killed, acknowledged, lost and doubled, in the event store and in the lake."""
    stored = Counter(
        event_id
        for user in range(CLIENTS)
        for batch in container.events.scan_user(f"kill-{user}")
        for event_id in batch.column("id").to_pylist()
    )
    export_lake(container, ignore_progress)
    now = datetime.now(UTC)
    rows = Lake(build_lake_storage(container.settings)).scan(
        EVENTS, now - timedelta(days=2), now + timedelta(days=1), ("id",)
    )
    names = (name for batch in rows for name in batch.column("id").to_pylist())
    lake = Counter(name for name in names if name.startswith(traffic.run))
    result = {
        "kills": dict(sorted(kills.items())),
        "killed": sum(count for kind, count in kills.items() if "ended" not in kind),
        "acknowledged": len(traffic.acknowledged),
        "failed batches, sent again": traffic.failed,
    }
    wrong = 0 if traffic.acknowledged else 1  # without events nothing is shown
    for name, found in (("store", stored), ("lake", lake)):
        lost = len(traffic.acknowledged - found.keys())
        doubled = sum(count > 1 for count in found.values())
        result |= {f"lost in the {name}": lost, f"doubled in the {name}": doubled}
        wrong += lost + doubled
    print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode(), flush=True)
    return int(wrong > 0)
