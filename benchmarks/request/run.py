"""`python -m benchmarks request`: measures stages of a page, scoring, a plain implementation, and load."""

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from benchmarks.machine import describe_machine
from benchmarks.request.load import build_path, find_sustained_rate, measure_load_curve, to_rows
from benchmarks.request.peer import measure_peer
from benchmarks.request.plot import write_load_plot
from benchmarks.request.project import (
    SampleProject,
    build_project,
    compute_limits,
    limit_candidates,
    open_demo_project,
)
from benchmarks.request.report import format_request_report
from benchmarks.request.stages import measure_scoring, measure_stages
from reelrank.app.web.application import WebOptions
from reelrank.app.wiring import warm_service
from reelrank.index_mappings.query import Query

RESULTS = Path(__file__).parent.parent / "results"
CANDIDATES, SMALL_CANDIDATES = (100, 500, 1_000, 10_000), (100, 1_000)
RATES, SMALL_RATES = (5, 10, 20, 30, 40, 60, 80, 120), (5, 20)
P99_MS = 100.0
SCORING_MARGIN, PEER_MARGIN = 3.0, 2.0
"""Wide limits for noisy machines: features and scoring by bare scoring, POST /v1/rank by the plain one."""
Figures = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if a ratio exceeds its limit or a request failed at the lowest rate, else 0."""
    options = _build_parser().parse_args(arguments)
    size = options.documents or (5_000 if options.small else 1_000_000)
    begun = time.monotonic()
    structlog.configure(  # a log line per request would hide the tables
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with tempfile.TemporaryDirectory(prefix="reelrank-bench-") as temporary:
        directory = Path(temporary) / "data"
        if options.demo:
            _report_progress(f"copying {options.demo}, so that it stays unchanged")
            shutil.copytree(options.demo, directory)
            project, name = open_demo_project(directory), "demo"
        else:
            _report_progress(f"building a project of {size:,} items")
            project, name = build_project(directory, size), str(size)
        figures = measure_request(project, options.small)
    argument = "--demo reelrank-data" if options.demo else f"--documents {size}"
    figures = {"command": f"python -m benchmarks request {argument}", **figures}
    figures["took_s"] = round(time.monotonic() - begun)
    report = format_request_report(figures)
    print(f"\n{report}\n", flush=True)
    if not options.small:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"request-{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
        (RESULTS / f"request-{name}.md").write_text(report + "\n")
        write_load_plot(figures["load"]["curve"], RESULTS / f"request-load-{name}", P99_MS)
        print(f"Plotted in {RESULTS / f'request-load-{name}.svg'}\n", flush=True)
    breaches = find_breaches(figures)
    print("\n".join(breaches), file=sys.stderr)
    return int(bool(breaches))


def measure_request(project: SampleProject, small: bool) -> Figures:
    service, at_start = warm_service(project.container), describe_machine()
    documents = len(service.refresher.state.table)
    queries = project.build_queries(20 if small else 200)
    figures: Figures = {
        "documents": documents,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": at_start,
        "stages": {},
    }
    for candidates in SMALL_CANDIDATES if small else CANDIDATES:
        if candidates > documents:
            continue
        _report_progress(f"stages of pages with {candidates:,} candidates")
        limited = limit_candidates(service, candidates)
        figures["stages"][str(candidates)] = {
            kind: measure_stages(limited, kind_queries) for kind, kind_queries in queries.items()
        }
    _report_progress("scoring and the plain implementation with 1,000 candidates")
    thousand, settings = limit_candidates(service, 1_000), project.container.settings
    figures["scoring"] = measure_scoring(thousand, queries["home"][:20])
    web = WebOptions(settings.body_bytes_max, settings.reports_dir)
    figures["plain_way"] = measure_peer(thousand, queries["home"][0], web, 10 if small else 50)
    _report_progress("open-loop load")
    figures["load"] = _measure_load(project, queries, small)
    figures["load_at_end"] = describe_machine()["load"]
    return figures


def _measure_load(project: SampleProject, queries: Mapping[str, Sequence[Query]], small: bool) -> Figures:
    """Measures home pages and searches alternately, with about 1,000 candidates each."""
    paths = [
        build_path(query) for pair in zip(queries["home"], queries["search"], strict=True) for query in pair
    ]
    rates, seconds = (SMALL_RATES, 3.0) if small else (RATES, 15.0)
    curve = measure_load_curve(
        project.container.settings.data_dir, compute_limits(1_000), paths, rates, seconds
    )
    rate = find_sustained_rate(curve, P99_MS)
    cores = os.cpu_count() or 1
    return {
        "p99_limit_ms": P99_MS, "sustained_per_s": rate, "sustained_per_core": round(rate / cores, 1),
        "curve": to_rows(curve),
    }  # fmt: skip


def find_breaches(figures: Figures) -> list[str]:
    served = figures["scoring"]["served"]["ratio_p50"]
    plain = figures["plain_way"]["ratio_p50"]
    failed = sum(point["failed"] for point in figures["load"]["curve"][:1])
    checks = (
        (served > SCORING_MARGIN, f"features and scoring cost {served} x the bare scorer"),
        (plain > PEER_MARGIN, f"ranking costs {plain} x the plain implementation"),
        (failed > 0, f"{failed} requests failed at the lowest rate"),
    )
    return [message for is_breached, message in checks if is_breached]


def _report_progress(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks request", description=__doc__)
    parser.add_argument("--documents", type=int, help="items of the generated catalogue")
    parser.add_argument("--demo", type=Path, help="data directory of `make run` instead of generated items")
    parser.add_argument(
        "--small", action="store_true", help="a small catalogue and low rates; no results are stored"
    )
    return parser
