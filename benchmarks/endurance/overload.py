"""`python -m benchmarks overload`: searches at 1, 2, 4 and 10 times what one worker can serve, open loop.

Requests are sent when they are due, whether or not earlier ones were answered. The service has one core
where there are two, the client the other. Ratios are the result; the times depend on the machine.
"""

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.process_tree import ProcessTree
from reelrank.app.cli.serve import GUNICORN_COMMAND
from reelrank.app.diagnostics.smoke_test import find_free_port, run_service
from reelrank.app.settings import Settings

FACTORS = (1, 2, 4, 10)
SECONDS, SMALL_SECONDS = 60.0, 6.0
CALIBRATION_CLIENTS = 2
MAX_OPEN = 800
"""Requests in progress at the client, below the usual limit of open files."""
READY_TIMEOUT_S, RESPONSE_TIMEOUT_S = 300.0, 20.0
DEADLINE_SLACK, MIN_GOODPUT_SHARE, MAX_RECOVERY_S, MAX_MEMORY_GROWTH = 1.2, 0.8, 2.0, 1.1
WORDS = ("love", "war", "star", "night", "king", "city", "dark", "house", "summer", "last")
HEAD = """
## Searches beyond what one worker can serve

| load | sent/s | answered/s | refused/s | failed | p50 ms | p99 ms of answered |
|---|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Answer:
    """status: 0 for a connection that failed. seconds: from the time at which it was due to its last byte."""

    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """The answers at one load. seconds: for which requests were sent."""

    factor: float
    seconds: float
    answers: list[Answer]

    @property
    def goodput(self) -> float:
        return self._count(200) / self.seconds

    @property
    def p99_s(self) -> float:
        return float(np.quantile(self._seconds, 0.99)) if self._seconds else float("inf")

    @property
    def _seconds(self) -> list[float]:
        return [answer.seconds for answer in self.answers if answer.status == 200]

    def _count(self, *statuses: int) -> int:
        return sum(answer.status in statuses for answer in self.answers)

    def to_row(self) -> str:
        refused = self._count(429, 503)
        failed = len(self.answers) - refused - self._count(200)
        p50 = np.median(self._seconds) * 1000 if self._seconds else float("nan")
        rates = [len(self.answers) / self.seconds, self.goodput, refused / self.seconds]
        cells = [f"{self.factor:g} x", *(f"{rate:.0f}" for rate in rates), str(failed)]
        return f"| {' | '.join([*cells, f'{p50:.0f}', f'{self.p99_s * 1000:.0f}'])} |"


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if answers come late, too few at ten times the load, or the service does not recover."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks overload", description=__doc__)
    parser.add_argument("--demo", type=Path, required=True, help="data directory of a demo; it is copied")
    parser.add_argument("--small", action="store_true", help=f"{SMALL_SECONDS:g} s for each load")
    options = parser.parse_args(arguments)
    seconds = SMALL_SECONDS if options.small else SECONDS
    with tempfile.TemporaryDirectory() as directory:
        data_dir, port = Path(directory) / "data", find_free_port("127.0.0.1")
        shutil.copytree(options.demo, data_dir)
        os.environ |= {
            "REELRANK_DATA_DIR": str(data_dir),
            "REELRANK_PORT": str(port),
            "REELRANK_WORKERS": "1",
        }
        os.environ |= {"OMP_NUM_THREADS": "1", "REELRANK_CONNECTIONS_PER_ADDRESS": "0"}
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:1])
        url, log = f"http://127.0.0.1:{port}", Path(directory) / "serve.log"
        with run_service(GUNICORN_COMMAND, url, log, READY_TIMEOUT_S) as pid:
            os.sched_setaffinity(0, cores[1:] or cores)
            return asyncio.run(_measure(port, seconds, ProcessTree(pid)))


async def _measure(port: int, seconds: float, service: ProcessTree) -> int:
    await _send_closed(port, seconds)  # the first requests are slow
    capacity = (await _send_closed(port, seconds)).goodput
    memory = service.read_footprint().resident_mib
    print(f"{HEAD}\n| {CALIBRATION_CLIENTS} clients in turn | | {capacity:.0f} | | | | |", flush=True)
    loads = list[Load]()
    for factor in FACTORS:
        loads.append(await _send_open(port, factor, factor * capacity, seconds))
        print(loads[-1].to_row(), flush=True)
    recovery_s = await _wait_until_served(port)
    growth = service.read_footprint().resident_mib / memory
    print(f"\nServed again after {recovery_s:.1f} s; memory {growth:.2f} times that before.", flush=True)
    deadline_s = Settings().answer_within_ms / 1000
    is_late = any(load.p99_s > DEADLINE_SLACK * deadline_s for load in loads)
    is_lost = loads[-1].goodput < MIN_GOODPUT_SHARE * loads[0].goodput
    return int(is_late or is_lost or recovery_s > MAX_RECOVERY_S or growth > MAX_MEMORY_GROWTH)


async def _send_closed(port: int, seconds: float) -> Load:
    until = time.monotonic() + seconds

    async def run() -> list[Answer]:
        answers = list[Answer]()
        while time.monotonic() < until:
            answers.append(await _send(port, len(answers), time.monotonic()))
        return answers

    runs = await asyncio.gather(*(run() for _ in range(CALIBRATION_CLIENTS)))
    return Load(0, seconds, [answer for answers in runs for answer in answers])


async def _send_open(port: int, factor: float, rate: float, seconds: float) -> Load:
    began, tasks = time.monotonic(), set[asyncio.Task[Answer]]()
    answers, number = list[Answer](), 0
    while (due := began + number / rate) < began + seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        done = {task for task in tasks if task.done()}
        answers += [task.result() for task in done]
        tasks -= done
        if len(tasks) < MAX_OPEN:
            tasks.add(asyncio.create_task(_send(port, number, due)))
        else:
            answers.append(Answer(0, 0.0))
        number += 1
    return Load(factor, seconds, answers + list(await asyncio.gather(*tasks)))


async def _send(port: int, number: int, due: float) -> Answer:
    path = f"/v1/search?q={WORDS[number % len(WORDS)]}&user=viewer-{number % 50}"
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(RESPONSE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode())
            answer = await reader.read()
            writer.close()
        return Answer(int(answer[9:12] or 0), time.monotonic() - due)
    except (OSError, TimeoutError, ValueError):
        return Answer(0, time.monotonic() - due)


async def _wait_until_served(port: int) -> float:
    began = time.monotonic()
    while (await _send(port, 0, began)).status != 200 and time.monotonic() - began < RESPONSE_TIMEOUT_S:
        await asyncio.sleep(0.05)
    return time.monotonic() - began
