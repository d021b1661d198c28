"""File locks: one holder among threads and processes, and none once the holder is killed."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.store.lock import acquire_lock
from reelrank.index_mappings.errors import Conflict
from reelrank.loaders.items.journal import Journal
from tests.raised import raises_code

Lock = Callable[[Path], AbstractContextManager[None]]

HOLD = """
import sys
from pathlib import Path
from tests.faults.test_locks import LOCKS

with LOCKS[sys.argv[1]](Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def lock_engine(directory: Path) -> AbstractContextManager[None]:
    return acquire_lock(directory / "engine" / "writer.lock", wait_s=0)


def lock_load(directory: Path) -> AbstractContextManager[None]:
    return Journal(directory / "loads").lock()


LOCKS: dict[str, Lock] = {"engine": lock_engine, "load": lock_load}
CODES = {"engine": "lock_held", "load": "job_running"}


@contextmanager
def hold_in_process(name: str, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLD, name, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_excludes_other_threads_and_is_free_after_use(name: str, tmp_path: Path) -> None:
    def try_lock() -> None:
        with LOCKS[name](tmp_path):
            pass

    with ThreadPoolExecutor(1) as other:
        with LOCKS[name](tmp_path), raises_code(Conflict, CODES[name]):
            other.submit(try_lock).result()
        other.submit(try_lock).result()
        with pytest.raises(ZeroDivisionError), LOCKS[name](tmp_path):
            assert 1 / 0
        other.submit(try_lock).result()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_excludes_other_processes_and_ends_with_a_kill(name: str, tmp_path: Path) -> None:
    with hold_in_process(name, tmp_path) as process:
        with raises_code(Conflict, CODES[name]), LOCKS[name](tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with LOCKS[name](tmp_path):
            pass


def test_a_waiting_thread_gets_the_lock_once_it_is_free(tmp_path: Path) -> None:
    waited = []

    def wait() -> None:
        began = time.monotonic()
        with acquire_lock(tmp_path / "lock", wait_s=30):
            waited.append(time.monotonic() - began)

    waiting = threading.Thread(target=wait)
    with acquire_lock(tmp_path / "lock", wait_s=0):
        waiting.start()
        time.sleep(0.2)
        assert not waited
    waiting.join(30)
    assert len(waited) == 1
