"""Configuration of gunicorn, from the settings: workers with threads.

The program is imported before the fork, so workers share its pages and start at once. What it opens or
loads, it opens and loads after the fork.
"""

import gc
import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa

from reelrank.app.serving.access import require_keys
from reelrank.app.serving.open_files import fit_connections, report_few_files
from reelrank.app.serving.request_errors import MAX_REQUEST_LINE
from reelrank.app.settings import Settings
from reelrank.index_mappings.encoder import load_wordllama
from reelrank.ranking.rankers.lambdarank import import_lightgbm_alone

_settings = Settings()

bind = f"{_settings.host}:{_settings.port}"
workers = _settings.workers
threads = _settings.threads
worker_connections, _few_files = fit_connections(threads)
worker_class = "reelrank.app.serving.graceful_worker.GracefulWorker"
preload_app = False  # LightGBM and the threads of the engine must start after the fork
keepalive = 5
limit_request_line = MAX_REQUEST_LINE
forwarder_headers = ""  # SCRIPT_NAME of a client would change which route answers
timeout = 60
graceful_timeout = 20
accesslog = None
loglevel = "warning"
proc_name = "reelrank"


def on_starting(server: Any) -> None:
    """Checks how many files may be open and who may call. Ends the process where either is insufficient."""
    try:
        report_few_files(worker_connections, _few_files)
        require_keys(_settings, [str(a[0]) if isinstance(a, tuple) else "" for a in server.cfg.address])
    except SystemExit:
        on_exit(server)
        raise
    import_module("reelrank.app.serving.entry")
    pa.array([0])  # imports pandas where it is installed, as the first call in each worker would
    import_lightgbm_alone()  # its library starts threads when the first model is loaded, not before
    if _settings.role != "ranking":  # which encodes no texts
        load_wordllama()
    gc.collect()
    gc.freeze()  # collections in the workers would write to each object, and so copy its page


def child_exit(_server: Any, worker: Any) -> None:
    """Drops the gauges of a worker that ended."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Removes the directory of the metrics."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        shutil.rmtree(Path(folder), ignore_errors=True)
