"""The command that serves, and the one look that says whether serving works."""

import os
import sys
from typing import Annotated

import typer

from app.check import CheckFailed, free_port, look, running
from app.cli.console import fail, out
from app.settings import Settings
from app.wiring import build_parts

app = typer.Typer()

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Workers share the cores already; libraries that each start threads of their own only slow them down."""
GUNICORN = (sys.executable, "-m", "gunicorn", "--config", "python:app.gunicorn_conf", "app.server:make_app()")


@app.command(epilog="Example: `reelrank serve --port 8080 --workers 4`")
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Serve, fetch the page, a search and recommendations, and end.")
    ] = False,
) -> None:
    """Serve the API and the page until Ctrl-C; what was accepted is answered before it ends."""
    given = {"HOST": host, "PORT": port, "WORKERS": workers}
    os.environ.update({f"REELRANK_{name}": str(value) for name, value in given.items() if value is not None})
    os.environ.update({name: os.environ.get(name, "1") for name in ONE_THREAD})
    if check:
        _check()
        return
    settings = Settings()
    out.print(f"reelrank serves at http://{settings.host}:{settings.port}/ (Ctrl-C ends it)", markup=False)
    sys.stdout.flush()
    os.execve(sys.executable, GUNICORN, dict(os.environ))


def _check() -> None:
    settings = Settings()
    os.environ["REELRANK_PORT"] = str(port := free_port(settings.host))
    batch, _ = build_parts(settings).events.follow(None)
    viewer = batch.column("user")[0].as_py() if len(batch) else "nobody"
    url = f"http://{settings.host}:{port}"
    try:
        with running(GUNICORN, url):
            for seen in look(url, viewer):
                out.print(f"{seen.path}\n  {seen.took_ms:.0f} ms, {seen.words}", markup=False)
    except CheckFailed as error:
        fail(str(error))
