"""The command that serves, and its smoke test."""

import os
import subprocess
import sys
from typing import Annotated, Literal

import typer

from reelrank.app.access.start_check import check_access
from reelrank.app.cli.console import fail, out
from reelrank.app.diagnostics.open_browser import has_display
from reelrank.app.diagnostics.smoke_test import (
    CheckFailed,
    find_bind_error,
    find_free_port,
    run_service,
    run_smoke_test,
)
from reelrank.app.settings import CLUSTER_DEADLINE_MS, Settings
from reelrank.app.wiring import build_container

app = typer.Typer()

THREAD_COUNT_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Workers already share the cores; threads that each library starts only slow them down."""
GUNICORN_COMMAND = (
    sys.executable,
    "-P",
    "-m",
    "reelrank.app.serving.gunicorn_command",
    "--config",
    "python:reelrank.app.serving.gunicorn_config",
    "reelrank.app.serving.entry:make_app()",
)

FIRST_REQUEST_DEADLINE_MS = 5000
"""For the smoke test: a service that has just started answers its first requests slowly."""

Role = Literal["all", "candidates", "ranking"]
Check = Annotated[
    bool,
    typer.Option(
        "--check", help="Start the service, fetch the page, a search and recommendations, then stop."
    ),
]


@app.command(epilog="Example: `reelrank serve --port 8080 --workers 4`")
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes.")] = None,
    role: Annotated[Role | None, typer.Option(help="What this service answers.")] = None,
    check: Check = False,
) -> None:
    """Serve the API and the page until Ctrl-C. Accepted requests are answered before it ends."""
    given = {"HOST": host, "PORT": port, "WORKERS": workers, "ROLE": role}
    os.environ.update({f"REELRANK_{name}": str(value) for name, value in given.items() if value is not None})
    if check and Settings().role == "ranking":
        fail(
            "--check needs result lists, and role ranking has none; request its /readyz instead",
            "invalid_usage",
        )
    check_service() if check else start_service(open_page=False)


def start_service(open_page: bool) -> None:
    """Replaces this process by gunicorn. open_page: in a browser, where one would be visible."""
    _limit_threads()
    settings = Settings()
    url = f"http://{settings.host}:{settings.port}/"
    check_access(settings, [settings.host])
    if reason := find_bind_error(settings.host, settings.port):
        fail(
            f"{settings.host}:{settings.port}: {reason}; choose another port by --port or REELRANK_PORT",
            "address_in_use",
        )
    out.print(f"reelrank will serve at {url} in a few seconds (Ctrl-C to stop)", markup=False)
    if open_page and has_display():
        subprocess.Popen((sys.executable, "-P", "-m", "reelrank.app.diagnostics.open_browser", url))
    sys.stdout.flush()
    os.execve(sys.executable, GUNICORN_COMMAND, dict(os.environ))


def check_service() -> None:
    """Runs the smoke test on a free port, so that another service may keep running."""
    _limit_threads()
    os.environ |= {"REELRANK_HOST": "127.0.0.1", "REELRANK_KEYS_REQUIRED": "0"}  # for this test alone
    settings = Settings()
    if "deadline_ms" not in settings.model_fields_set or settings.deadline_ms == CLUSTER_DEADLINE_MS:
        os.environ.setdefault("REELRANK_DEADLINE_MS", str(FIRST_REQUEST_DEADLINE_MS))
    os.environ["REELRANK_PORT"] = str(port := find_free_port(settings.host))
    batch, _ = build_container(settings).events.follow(None)
    viewer = batch.column("user")[0].as_py() if len(batch) else "nobody"
    url = f"http://{settings.host}:{port}"
    try:
        settings.reports_dir.mkdir(parents=True, exist_ok=True)
        with run_service(GUNICORN_COMMAND, url, settings.reports_dir / "check.log"):
            for result in run_smoke_test(url, viewer):
                line = f"{result.path}\n  {result.took_ms:.0f} ms, {result.summary}"
                out.print(line, markup=False, soft_wrap=True)
    except CheckFailed as error:
        fail(error)


def _limit_threads() -> None:
    os.environ.update({name: os.environ.get(name, "1") for name in THREAD_COUNT_VARIABLES})
