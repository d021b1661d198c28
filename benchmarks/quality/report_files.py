"""Writes a quality report as JSON, Markdown and SVG."""

import os
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from benchmarks.machine import describe_machine
from benchmarks.quality.plot import write_plot
from benchmarks.quality.report import Report

LIBRARIES = ("lightgbm", "implicit", "tantivy", "wordllama", "numpy")


def write_report(report: Report, directory: Path, seconds: float) -> None:
    """Writes quality-NAME.json, .md and .svg."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {"made": _describe_run(seconds), **asdict(report)}
    stem = directory / f"quality-{report.name}"
    stem.with_suffix(".json").write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    stem.with_suffix(".md").write_text(report.format_text(), encoding="utf-8")
    write_plot(report, stem.with_suffix(".svg"))


def _describe_run(seconds: float) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
        "seconds": round(seconds),
        "cores": os.cpu_count(),
        "processor": describe_machine()["processor"],
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
