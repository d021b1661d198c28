"""`python -m benchmarks hop`: the cost of scoring in the ranking role, another process, over loopback.

The same features are scored locally and remotely in turn, so that other load on the machine affects both.
The ratio is the result; the times depend on the machine.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from reelrank.app.cli.serve import GUNICORN_COMMAND
from reelrank.app.diagnostics.smoke_test import find_free_port, run_service
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, build_models, build_release_manager
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.rankers.lambdarank import Ranker
from reelrank.ranking.rankers.manifest import Manifest
from reelrank.ranking.registry.models import Registry
from reelrank.ranking.wire.feature_rows import to_bytes

CANDIDATES = (100, 300, 1000, 3000)
ROUNDS, SMALL_ROUNDS = 60, 10
MAX_RATIO = 5.0
"""Limit of remote / local at the largest number of candidates, where scoring takes most of the time. The
ratio was 1.4 to 1.6 on a busy machine."""
HEAD = """
## Scoring by a service in role ranking, compared with local scoring

| candidates | bytes sent | local ms | remote ms | remote / local |
|---|---|---|---|---|"""
TREES, LEAVES = 300, 31
"""The model size for which design figures of LightGBM are given. The model of the demo has fewer trees."""


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if remote scoring of the longest list takes more than MAX_RATIO times as long as local."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks hop", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often each size is scored locally and remotely")
    parser.add_argument("--small", action="store_true", help="fewer rounds")
    options = parser.parse_args(arguments)
    rounds = options.rounds or (SMALL_ROUNDS if options.small else ROUNDS)
    with tempfile.TemporaryDirectory() as directory:
        container = build_container(Settings(data_dir=Path(directory)))
        build_release_manager(container).promote_model(_register_model(container.registry))
        port = find_free_port("127.0.0.1")
        url = f"http://127.0.0.1:{port}"
        os.environ |= {"REELRANK_DATA_DIR": directory, "REELRANK_PORT": str(port), "REELRANK_ROLE": "ranking"}
        os.environ |= {"REELRANK_WORKERS": "1", "OMP_NUM_THREADS": "1"}
        with run_service(GUNICORN_COMMAND, url, Path(directory) / "serve.log"):
            container = build_container(Settings())
            remote_settings = Settings(role="candidates", ranking_url=url, ranking_timeout_ms=10_000)
            local = build_models(container).get("bench")
            remote = build_models(build_container(remote_settings)).get("bench")
            print(HEAD)
            for n in CANDIDATES:
                row, ratio = _measure_row(n, local, remote, rounds)
                print(row, flush=True)
    return int(ratio > MAX_RATIO)


def _measure_row(candidate_count: int, local: Ranker, remote: Ranker, rounds: int) -> tuple[str, float]:
    """Returns a row of medians and the median ratio of the pairs. Raises AssertionError if scores differ."""
    features = (
        np.random.default_rng(candidate_count)
        .random((candidate_count, len(FEATURE_NAMES)))
        .astype(np.float32)
    )
    assert remote.score(features).tobytes() == local.score(features).tobytes()
    pairs = np.array([(_time_score(local, features), _time_score(remote, features)) for _ in range(rounds)])
    local_ms, remote_ms = np.median(pairs, axis=0)
    ratio = float(np.median(pairs[:, 1] / pairs[:, 0]))
    sent = len(to_bytes(features, remote.feature_names))
    return f"| {candidate_count:,} | {sent:,} | {local_ms:.1f} | {remote_ms:.1f} | {ratio:.2f} |", ratio


def _time_score(ranker: Ranker, features: NDArray[np.float32]) -> float:
    began = time.perf_counter()
    ranker.score(features)
    return (time.perf_counter() - began) * 1000


def _register_model(registry: Registry) -> str:
    rng = np.random.default_rng(0)
    rows = rng.random((6000, len(FEATURE_NAMES))).astype(np.float32)
    labels = (rows @ rng.normal(size=len(FEATURE_NAMES)) + rng.normal(size=6000) > 0).astype(int)
    data = lightgbm.Dataset(rows, labels, group=[100] * 60, feature_name=list(FEATURE_NAMES))
    params = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, "num_leaves": LEAVES}
    text = lightgbm.train(params, data, num_boost_round=TREES).model_to_string()
    manifest = Manifest(
        id="bench", features=FEATURE_NAMES, feature_fingerprint=compute_feature_fingerprint(FEATURE_NAMES)
    )
    return registry.register(manifest, text, rows[:30])
