"""Describes the machine on which figures were measured."""

import os
import platform
import sqlite3
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("faiss-cpu", "tantivy", "numpy", "lightgbm")


def describe_machine() -> dict[str, object]:
    """Returns hardware, versions and load: the present load averages of 1, 5 and 15 minutes."""
    return {
        "processor": _read_field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _read_field("/proc/meminfo", "MemTotal"),
        "system": platform.system(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES} | {"sqlite": sqlite3.sqlite_version},
        "load": [round(value, 1) for value in os.getloadavg()],
    }


def describe_run(figures: Mapping[str, Any]) -> str:
    """Returns a sentence on where, when and how figures were measured."""
    machine, load = figures["machine"], figures["load_at_end"]
    return (
        f"`{figures['command']}`, {figures['at'][:10]}, {machine['cores']} cores ({machine['processor']}), "
        f"Python {machine['python']}, load {machine['load'][0]} at the start and {load[0]} at the end, "
        f"{figures['took_s']} s."
    )


def _read_field(path: str, name: str) -> str:
    """Returns a value of a file of `name: value` lines, empty if there is no such file or name."""
    if not Path(path).exists():
        return ""
    lines = Path(path).read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
