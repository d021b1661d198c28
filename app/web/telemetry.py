"""What a request leaves behind: its id, a log line with ECS fields, and Prometheus metrics."""

import logging
import sys
import time
import uuid

import ecs_logging
import structlog
from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

from reelrank.app.search.page import Page
from reelrank.index_mappings.errors import EngineError

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
"""Seconds; closest together below 0.1, where the promise is."""

REQUESTS = Histogram(
    "reelrank_request_seconds", "Seconds a request took.", ["endpoint", "status"], buckets=BUCKETS
)
STAGES = Histogram("reelrank_stage_seconds", "Seconds a stage of a page took.", ["stage"], buckets=BUCKETS)
PAGES = Counter("reelrank_pages", "Pages answered.", ["model"])
DEGRADED = Counter("reelrank_degraded_pages", "Pages from which something was missing.", ["what"])
EXPLORED_HITS = Counter("reelrank_drawn_hits", "Hits on the places that exploration draws.")
FAILURES = Counter(
    "reelrank_source_failures",
    "Times a candidate source, or looking the viewer up, had no answer or only a part of it.",
    ["source", "why"],
)
EVENTS = Counter("reelrank_events", "Events taken in.", ["result"])
NOT_RECORDED = Counter(
    "reelrank_pages_not_recorded", "Shown pages and deeds that could not be recorded.", ["why"]
)

log = structlog.get_logger("reelrank.request")


def configure_logging(as_json: bool) -> None:
    """Structured lines on standard error: ECS JSON for machines, or short ones for people."""
    for_people = [structlog.processors.TimeStamper("%H:%M:%S"), _build_console_renderer()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info if as_json else structlog.processors.StackInfoRenderer(),
            *([ecs_logging.StructlogFormatter()] if as_json else for_people),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _build_console_renderer() -> structlog.dev.ConsoleRenderer:
    """Plain tracebacks: the pretty ones print local variables, and so passwords."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def instrument_requests(app: Flask) -> None:
    """Gives every request an id, a log line and its metrics."""

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
        response.headers.setdefault("Cache-Control", "no-store")  # lists are of a viewer and of a moment
        is_score = endpoint.startswith("/v1/score/") and response.status_code == 200  # its page has a line
        if not is_score and not endpoint.startswith(("/static", "/livez", "/readyz", "/metrics")):
            _log_request(response, endpoint, seconds)
        return response


def count_page(page: Page) -> None:
    """The page's own id becomes the id of the request that asked for it, and so of its log line."""
    g.request_id = page.request_id
    g.degraded = page.degraded
    PAGES.labels(page.model).inc()
    for stage, seconds in page.timings.items():
        STAGES.labels(stage).observe(seconds)
    EXPLORED_HITS.inc(sum(hit.exploration_slot is not None for hit in page.hits))
    for what in page.missing_parts:
        DEGRADED.labels(what).inc()


def count_failure(source: str, error: EngineError) -> None:
    """Also of requests that end without a page."""
    FAILURES.labels(source, type(error).__name__).inc()


def format_server_timing(page: Page) -> str:
    """The stages as a Server-Timing header (W3C), which a browser's network panel draws."""
    return ", ".join(f"{name.replace(' ', '_')};dur={1000 * s:.2f}" for name, s in page.timings.items())


def render_metrics() -> tuple[bytes, str]:
    """Of all workers together under gunicorn, of this process otherwise."""
    registry = CollectorRegistry()
    try:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:  # no PROMETHEUS_MULTIPROC_DIR: one process
        return generate_latest(), CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_LATEST


def _log_request(response: Response, endpoint: str, seconds: float) -> None:
    facts = {
        "http.request.id": g.get("request_id", ""),
        "http.request.method": request.method,
        "http.response.status_code": response.status_code,
        "url.path": request.path,
        "http.route": endpoint,
        "event.duration": round(seconds * 1e9),
    }
    if trace := request.headers.get("X-Request-Id"):
        facts["trace.id"] = trace[:128]
    if degraded := g.get("degraded"):
        facts["reelrank.degraded"] = [str(missing) for missing in degraded]
    log.info("request", **facts)
