"""Workers load and reload models after the fork; LightGBM hangs if the parent loaded a model before."""

import subprocess
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from reelrank.ranking.rankers.manifest import Manifest
from reelrank.ranking.registry.models import Registry

WORKERS = """
import os, sys
from pathlib import Path
from reelrank.ranking.rankers.loading import load_ranker
from reelrank.ranking.registry.models import Registry
import numpy as np

registry = Registry(Path(sys.argv[1]))
assert "lightgbm" not in sys.modules, "the parent must not load LightGBM"
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        for version in registry.versions():
            ranker = load_ranker(registry.find_directory(version.id), ("a", "b"), lambda names: "fp")
            ranker.score(np.zeros((1000, 2), np.float32))
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def train(seed: int) -> str:
    rows = np.random.default_rng(seed).random((200, 2))
    data = lightgbm.Dataset(rows, (rows[:, 0] > 0.5).astype(int), group=[20] * 10)
    params = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    text: str = lightgbm.train(params, data, num_boost_round=3).model_to_string()
    return text


@pytest.mark.slow
def test_forked_workers_load_a_second_model_without_hanging(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    manifest = Manifest(features=("a", "b"), feature_fingerprint="fp")
    for seed in range(3):
        golden = np.random.default_rng(seed).random((20, 2)).astype(np.float32)
        registry.register(manifest.model_copy(update={"id": f"model-{seed}"}), train(seed), golden)
    done = subprocess.run([sys.executable, "-c", WORKERS, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 0
