"""Processes that work on a data directory and may be killed, and the children of a process.

They are forked from one that has imported everything.
"""

import logging
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import structlog

PROCESSES = get_context("forkserver")
"""The server has started no thread, so that forking is safe, and a child starts in 10 ms."""
MAX_CHILD_S = 120.0


def prepare_processes(*modules: str) -> None:
    """Names the modules that the server of processes imports once."""
    PROCESSES.set_forkserver_preload([*modules, "reelrank.app.web.application", "lightgbm"])


def start_child(target: Callable[..., object], pipe: Connection, *arguments: object) -> ForkServerProcess:
    """Starts a function in a process of its own; what it returns is sent."""
    child = PROCESSES.Process(target=_call, args=(target, pipe, arguments))
    child.start()
    return child


def run_child(target: Callable[..., object], *arguments: object) -> tuple[int, list[list[str]]]:
    """Runs a function in a process of its own until that ends; returns its exit code and what it sent.

    It gets the pipe as its last argument, and may send before it returns.
    """
    ours, theirs = PROCESSES.Pipe(duplex=False)
    child = start_child(target, theirs, *arguments, theirs)
    theirs.close()
    child.join(MAX_CHILD_S)
    child.kill()
    child.join()
    found = list[list[str]]()
    try:
        while ours.poll():
            found.append(ours.recv())
    except EOFError:
        pass
    return child.exitcode or 0, found


def call_in_child(target: Callable[..., object], *arguments: object) -> list[str]:
    """Returns what a function returns in a process of its own. Raises RuntimeError when that fails."""
    code, found = run_child(_ignore_pipe, target, arguments)
    if code or not found:
        raise RuntimeError(f"{target.__name__} ended with {code}; its error is above")
    return found[0]


def list_children(pid: int) -> list[int]:
    """Returns the process ids of the children of a process, such as gunicorn's workers. Raises OSError."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _ignore_pipe(target: Callable[..., object], arguments: tuple[object, ...], _pipe: Connection) -> object:
    return target(*arguments)


def _call(target: Callable[..., object], pipe: Connection, arguments: tuple[object, ...]) -> None:
    logging.disable(logging.INFO)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    pipe.send(target(*arguments) or [])
