"""The command that serves."""

import os
import sys
from typing import Annotated

import typer

from app.cli.console import out
from app.settings import Settings

app = typer.Typer()

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Workers share the cores already; libraries that each start threads of their own only slow them down."""


@app.command(epilog="Example: `reelrank serve --port 8080 --workers 4`")
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Requests a worker answers at once.")] = None,
) -> None:
    """Serve the API and the page until Ctrl-C; what was accepted is answered before it ends."""
    given = {"HOST": host, "PORT": port, "WORKERS": workers, "THREADS": threads}
    environment = {f"REELRANK_{name}": str(value) for name, value in given.items() if value is not None}
    environment |= {name: os.environ.get(name, "1") for name in ONE_THREAD}
    os.environ.update(environment)
    settings = Settings()
    out.print(f"reelrank serves at http://{settings.host}:{settings.port}/ (Ctrl-C ends it)", markup=False)
    sys.stdout.flush()
    gunicorn = ("-m", "gunicorn", "--config", "python:app.gunicorn_conf", "app.server:make_app()")
    os.execve(sys.executable, (sys.executable, *gunicorn), dict(os.environ))
