"""Background tasks: run every interval, never end by an exception, and end when they are stopped."""

import threading
import time

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from reelrank.app.background import BackgroundTask
from tests.servers.node import wait_until


class Runs:
    """Counts the calls; raises in each when `error` is set; waits in each while `gate` is closed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.names: list[str] = []
        self.threads: set[int] = set()
        self.error = error
        self.gate = threading.Event()
        self.gate.set()

    def run(self, name: str = "run") -> None:
        self.names.append(name)
        self.threads.add(threading.get_ident())
        self.gate.wait(10)
        if self.error is not None:
            raise self.error


def count_failures(task: str) -> float:
    return REGISTRY.get_sample_value("reelrank_background_failures_total", {"task": task}) or 0.0


def test_runs_repeat_in_one_thread_until_the_stop() -> None:
    runs = Runs()
    task = BackgroundTask("repeat", runs.run, 0.01)
    task.start()
    assert wait_until(lambda: len(runs.names) >= 3)
    task.stop(wait_s=5)
    done = len(runs.names)
    time.sleep(0.05)
    assert len(runs.names) == done
    assert len(runs.threads) == 1
    assert threading.get_ident() not in runs.threads


def test_no_run_comes_before_the_first_interval_is_over() -> None:
    runs = Runs()
    task = BackgroundTask("interval", runs.run, 60)
    task.start()
    time.sleep(0.05)
    task.stop(wait_s=5)
    assert runs.names == []


def test_a_failure_is_logged_and_counted_and_the_next_run_comes() -> None:
    runs = Runs(RuntimeError("a mistake"))
    task = BackgroundTask("failing", runs.run, 0.01, lambda: runs.run("last"))
    with capture_logs() as logs:
        task.start(lambda: runs.run("first"))
        assert wait_until(lambda: runs.names.count("run") >= 2)
        task.stop(wait_s=5)
    assert (runs.names[0], runs.names[-1]) == ("first", "last")
    assert len(logs) == len(runs.names) == count_failures("failing")
    assert {(line["task"], line["log_level"]) for line in logs} == {("failing", "error")}


def test_the_start_waits_for_the_first_run_but_not_for_ever() -> None:
    runs = Runs()
    task = BackgroundTask("first", runs.run, 60)
    task.start(lambda: runs.run("first"), wait_s=5)
    assert runs.names == ["first"]
    task.stop()
    runs.gate.clear()
    began = time.monotonic()
    task.start(lambda: runs.run("second"), wait_s=0.05)
    assert time.monotonic() - began < 2
    runs.gate.set()
    task.stop(wait_s=5)
    assert runs.names == ["first", "second"]


def test_the_last_run_comes_once_after_the_stop() -> None:
    runs = Runs()
    task = BackgroundTask("last", runs.run, 60, lambda: runs.run("last"))
    task.stop(wait_s=1)
    assert runs.names == []
    task.start()
    task.stop(wait_s=5)
    task.stop(wait_s=5)
    assert runs.names == ["last"]


def test_a_stop_waits_at_most_the_given_seconds() -> None:
    runs = Runs()
    runs.gate.clear()
    task = BackgroundTask("slow", runs.run, 0.001)
    task.start()
    assert wait_until(lambda: bool(runs.names))
    began = time.monotonic()
    task.stop(wait_s=0.05)
    assert time.monotonic() - began < 2
    runs.gate.set()


@pytest.mark.parametrize("is_stopped_first", [True, False])
def test_a_task_can_be_started_again(is_stopped_first: bool) -> None:
    runs = Runs()
    task = BackgroundTask("again", runs.run, 0.01)
    task.start()
    assert wait_until(lambda: bool(runs.names))
    if is_stopped_first:
        task.stop(wait_s=5)
    before = len(runs.names)
    task.start()
    assert wait_until(lambda: len(runs.names) > before + 1)
    assert wait_until(lambda: [each.name for each in threading.enumerate()].count("again") == 1)
    task.stop(wait_s=5)
    assert "again" not in [each.name for each in threading.enumerate()]


def test_a_run_may_end_its_own_task() -> None:
    calls = []

    def run() -> None:
        calls.append(1)
        task.stop()

    task = BackgroundTask("own", run, 0.01)
    task.start()
    assert wait_until(lambda: bool(calls))
    time.sleep(0.1)
    assert calls == [1]
