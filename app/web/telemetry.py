"""Telemetry of each request: its id, a log line with ECS fields, and Prometheus metrics."""

import logging
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO, cast

import ecs_logging
import structlog
from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
    multiprocess,
)

from reelrank.app.background import get_failure_counter
from reelrank.app.search.page import Page
from reelrank.app.web.hidden_paths import mask_viewer
from reelrank.app.web.log_stream import LogStream
from reelrank.index_mappings.errors import CodedError, EngineError, explain
from reelrank.ranking.drift.kept_report import read_drift
from reelrank.ranking.drift.report import Kind

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
"""Seconds, in finer steps below the 0.1 s that a request may take."""

REQUESTS = Histogram(
    "reelrank_request_seconds", "Duration of a request in seconds.", ["endpoint", "status"], buckets=BUCKETS
)
STAGES = Histogram(
    "reelrank_stage_seconds", "Duration of a stage of a page in seconds.", ["stage"], buckets=BUCKETS
)
PAGES = Counter("reelrank_pages", "Pages served.", ["model"])
DEGRADED = Counter("reelrank_degraded_pages", "Pages served incomplete, by what was missing.", ["what"])
EXPLORED_HITS = Counter("reelrank_drawn_hits", "Hits shown in exploration slots.")
FAILURES = Counter(
    "reelrank_source_failures",
    "Failed or partial answers of a candidate source or of the viewer lookup.",
    ["source", "why"],
)
EVENTS = Counter("reelrank_events", "Events received.", ["result"])
NOT_RECORDED = Counter(
    "reelrank_pages_not_recorded", "Shown pages and viewer actions that could not be recorded.", ["why"]
)
DRIFTED = Gauge(
    "reelrank_drifted_series",
    "Distributions that drifted since the serving release learned.",
    ["kind"],
    multiprocess_mode="mostrecent",
)
DRIFT_PSI = Gauge(
    "reelrank_drift_psi",
    "Largest population stability index of a drifted distribution; 0 without drift.",
    ["kind"],
    multiprocess_mode="mostrecent",
)
DRIFT_MEASURED = Gauge(
    "reelrank_drift_measured_seconds",
    "When drift was measured, in seconds since 1970 UTC; 0: never.",
    multiprocess_mode="mostrecent",
)
EMBEDDINGS_AGE = Gauge(
    "reelrank_embeddings_age_seconds",
    "Age of the newest event that the serving embeddings learned from, when drift was measured.",
    multiprocess_mode="mostrecent",
)
CAUSE_LOGGED_EVERY_S = 60.0
MAX_LOGGED_KINDS = 1_000
_logged_causes: dict[tuple[str, str], float] = {}
BACKGROUND_FAILURES = get_failure_counter()

log = structlog.get_logger("reelrank.request")


def configure_logging(as_json: bool) -> None:
    """Logs to standard error: ECS JSON for machines, or short lines for people."""
    for_people = [structlog.processors.TimeStamper("%H:%M:%S"), _build_console_renderer()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info if as_json else structlog.processors.StackInfoRenderer(),
            *([ecs_logging.StructlogFormatter()] if as_json else for_people),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, LogStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )


def _build_console_renderer() -> structlog.dev.ConsoleRenderer:
    """Uses plain tracebacks: the pretty ones print local variables, which may hold passwords."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def instrument_requests(app: Flask) -> None:
    """Gives every request an id, a log line and metrics."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()
        g.request_id = uuid.uuid4().hex

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("began", time.perf_counter())
        endpoint = request.url_rule.rule if request.url_rule else "unknown"
        REQUESTS.labels(endpoint, str(response.status_code)).observe(seconds)
        response.headers.setdefault("X-Request-Id", g.get("request_id", ""))
        response.headers.setdefault("Cache-Control", "no-store")  # a list is valid for one viewer at one time
        is_score = (
            endpoint.startswith("/v1/score/") and response.status_code == 200
        )  # the page that needed it is logged
        if not is_score and not endpoint.startswith(("/static", "/livez", "/readyz", "/metrics")):
            _log_request(response, endpoint, seconds)
        return response


def count_page(page: Page) -> None:
    """Counts a page, and makes its id the id of this HTTP request and of its log line."""
    g.request_id = page.request_id
    g.degraded = page.degraded
    PAGES.labels(page.model).inc()
    for stage, seconds in page.timings.items():
        STAGES.labels(stage).observe(seconds)
    EXPLORED_HITS.inc(sum(hit.exploration_slot is not None for hit in page.hits))
    for part in page.missing_parts:
        DEGRADED.labels(part).inc()


def count_failure(source: str, error: EngineError) -> None:
    """Counts a failed source, also when the request ends without a page, and logs its cause."""
    FAILURES.labels(source, type(error).__name__).inc()
    log_cause(error)


def count_not_recorded(reason: str) -> None:
    """Counts a page or an action that is not recorded; logs each reason once in CAUSE_LOGGED_EVERY_S."""
    NOT_RECORDED.labels(reason).inc()
    if _is_log_due(("not_recorded", reason)):
        log.error("a page or an action is not recorded; the metric counts them all", reason=reason)


def log_cause(error: CodedError) -> None:
    """Logs what a client library or a server said about a failure, which answers do not show.

    Each code and message is logged once in CAUSE_LOGGED_EVERY_S.
    """
    if error.cause and _is_log_due((error.code, str(error))):
        log.warning("an engine or a service failed", code=error.code, reason=explain(error))


def _is_log_due(kind: tuple[str, str]) -> bool:
    now = time.monotonic()
    if now < _logged_causes.get(kind, -CAUSE_LOGGED_EVERY_S) + CAUSE_LOGGED_EVERY_S:
        return False
    if len(_logged_causes) >= MAX_LOGGED_KINDS:
        _logged_causes.clear()
    _logged_causes[kind] = now
    return True


def format_server_timing(page: Page) -> str:
    """Formats the stages as a Server-Timing header (W3C), which browsers show in their network panel."""
    return ", ".join(f"{name.replace(' ', '_')};dur={1000 * s:.2f}" for name, s in page.timings.items())


def render_metrics() -> tuple[bytes, str]:
    """Renders the metrics of all workers under gunicorn, otherwise of this process."""
    return generate_latest(_choose_registry()), CONTENT_TYPE_LATEST


def state_drift(reports_dir: Path) -> None:
    """Sets the gauges of drift to the newest report; they stay as they are without one."""
    kept = read_drift(reports_dir)
    if kept is None:
        return
    for kind in Kind:
        drifted = [one for one in kept.report.of_kind(kind) if one.is_drifted]
        DRIFTED.labels(str(kind)).set(len(drifted))
        DRIFT_PSI.labels(str(kind)).set(max((one.distance.psi for one in drifted), default=0.0))
    DRIFT_MEASURED.set(kept.measured_at.timestamp())
    if kept.report.embeddings_age_h is not None:
        EMBEDDINGS_AGE.set(3600 * kept.report.embeddings_age_h)


def collect_metrics() -> Iterable[Metric]:
    """Collects the same metrics, for the operator pages."""
    return _choose_registry().collect()


def _choose_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    try:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:  # no PROMETHEUS_MULTIPROC_DIR: one process
        return REGISTRY
    return registry


def _log_request(response: Response, endpoint: str, seconds: float) -> None:
    fields = {
        "http.request.id": g.get("request_id", ""),
        "http.request.method": request.method,
        "http.response.status_code": response.status_code,
        "url.path": mask_viewer(request.path),
        "http.route": endpoint,
        "event.duration": round(seconds * 1e9),
    }
    if user_key := g.get("user_key"):
        fields["user.hash"] = user_key
    if trace := request.headers.get("X-Request-Id"):
        fields["trace.id"] = trace[:128]
    if degraded := g.get("degraded"):
        fields["reelrank.degraded"] = [str(missing) for missing in degraded]
    log.info("request", **fields)
