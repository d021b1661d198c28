"""The machine that a figure comes from, as far as a reader needs to know it."""

import os
import platform
import sqlite3
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("faiss-cpu", "tantivy", "numpy", "lightgbm")


def describe_machine() -> dict[str, object]:
    """load: the 1, 5 and 15 minute load averages when this is asked."""
    return {
        "processor": _read_field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _read_field("/proc/meminfo", "MemTotal"),
        "system": platform.system(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES} | {"sqlite": sqlite3.sqlite_version},
        "load": [round(each, 1) for each in os.getloadavg()],
    }


def describe_run(figures: Mapping[str, Any]) -> str:
    """A sentence on where, when and how some figures were measured."""
    made, load = figures["machine"], figures["load_at_end"]
    return (
        f"`{figures['command']}`, {figures['at'][:10]}, {made['cores']} cores ({made['processor']}), Python "
        f"{made['python']}, load {made['load'][0]} at the start and {load[0]} at the end, "
        f"{figures['took_s']} s."
    )


def _read_field(path: str, name: str) -> str:
    """Of a file of `name: fact` lines; empty where the system has none."""
    if not Path(path).exists():
        return ""
    lines = Path(path).read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
