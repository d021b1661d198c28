"""The service of the soak: a worker whose engine is away while a file exists. All else is as it is."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from flask_openapi import OpenAPI

from reelrank.app.serving import entry
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.errors import Unavailable

FLAG_VARIABLE = "REELRANK_SOAK_AWAY"
"""Names the file whose existence takes the engine away."""
FAULTY_APP = "benchmarks.loop_faults.faulty_service:make_app()"


class Away:
    """Stands before an engine or a store: every call raises Unavailable while the file exists."""

    def __init__(self, inner: object, flag: Path) -> None:
        self._inner = inner
        self._flag = flag

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return _guard(value, self._flag) if callable(value) else value


def _guard(call: Callable[..., object], flag: Path) -> Callable[..., object]:
    @wraps(call)
    def guarded(*arguments: object, **options: object) -> object:
        if flag.exists():
            raise Unavailable("the engine is away, on purpose", code="engine_unreachable")
        return call(*arguments, **options)

    return guarded


def build_faulty_container(settings: Settings) -> Container:
    """Builds the container of a worker, with an engine and an event store that can go away."""
    container, flag = build_container(settings), Path(os.environ[FLAG_VARIABLE])
    engine: Any = Away(container.engine, flag)
    events: Any = Away(container.events, flag)
    return replace(container, engine=engine, events=events)


def make_app() -> OpenAPI:
    """Builds the application of a worker."""
    vars(entry)["build_container"] = build_faulty_container
    return entry.make_app()
