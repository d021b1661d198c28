"""The command that serves, and the one look that says whether serving works."""

import os
import subprocess
import sys
from typing import Annotated, Literal

import typer

from app.check import CheckFailed, fault_of_address, free_port, look, running
from app.cli.console import fail, out
from app.opening import has_display
from app.settings import CLUSTER_DEADLINE_MS, Settings
from app.wiring import build_parts

app = typer.Typer()

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Workers share the cores already; libraries that each start threads of their own only slow them down."""
GUNICORN = (sys.executable, "-m", "gunicorn", "--config", "python:app.gunicorn_conf", "app.server:make_app()")

FIRST_ANSWERS_MS = 5000
"""For a look at a service on a cluster: one that has just been started answers slowly at first."""

Role = Literal["all", "candidates", "ranking"]
Check = Annotated[
    bool, typer.Option("--check", help="Serve, fetch the page, a search and recommendations, and end.")
]


@app.command(epilog="Example: `reelrank serve --port 8080 --workers 4`")
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes.")] = None,
    role: Annotated[Role | None, typer.Option(help="What this service does.")] = None,
    check: Check = False,
) -> None:
    """Serve the API and the page until Ctrl-C; what was accepted is answered before it ends."""
    given = {"HOST": host, "PORT": port, "WORKERS": workers, "ROLE": role}
    os.environ.update({f"REELRANK_{name}": str(value) for name, value in given.items() if value is not None})
    if check and Settings().role == "ranking":
        fail("--check looks at lists, and role ranking answers none; ask its /readyz", 2)
    check_service() if check else start_service(open_page=False)


def start_service(open_page: bool) -> None:
    """This process becomes gunicorn's. open_page: in a browser, where there is one to see."""
    _one_thread()
    settings = Settings()
    url = f"http://{settings.host}:{settings.port}/"
    if fault := fault_of_address(settings.host, settings.port):
        fail(f"{settings.host}:{settings.port}: {fault}; name another port by --port or REELRANK_PORT")
    out.print(f"reelrank serves at {url} in a few seconds (Ctrl-C ends it)", markup=False)
    if open_page and has_display():
        subprocess.Popen((sys.executable, "-m", "app.opening", url))
    sys.stdout.flush()
    os.execve(sys.executable, GUNICORN, dict(os.environ))


def check_service() -> None:
    """On a free port, so that it can be asked beside a running one. Exit code 1 when anything is wrong."""
    _one_thread()
    settings = Settings()
    if settings.engine != "embedded" and settings.deadline_ms == CLUSTER_DEADLINE_MS:
        os.environ.setdefault("REELRANK_DEADLINE_MS", str(FIRST_ANSWERS_MS))
    os.environ["REELRANK_PORT"] = str(port := free_port(settings.host))
    batch, _ = build_parts(settings).events.follow(None)
    viewer = batch.column("user")[0].as_py() if len(batch) else "nobody"
    url = f"http://{settings.host}:{port}"
    try:
        with running(GUNICORN, url):
            for seen in look(url, viewer):
                out.print(f"{seen.path}\n  {seen.took_ms:.0f} ms, {seen.words}", markup=False, soft_wrap=True)
    except CheckFailed as error:
        fail(str(error))


def _one_thread() -> None:
    os.environ.update({name: os.environ.get(name, "1") for name in ONE_THREAD})
