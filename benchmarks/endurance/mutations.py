"""`python -m benchmarks mutations`: damaged files of real models are refused in a sentence, or are models.

Ten kinds of models are trained on made-up rows. Each file is cut, or loses, repeats or changes a part; then
the registry takes it as it takes the file of a stranger. A crash would end this process.
"""

import argparse
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.rankers.loading import load_ranker
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.models import Registry

FEATURES = tuple(f"f{place}" for place in range(6))
CATEGORIES = 5
"""Column that a kind of models splits by categories."""
MIN_SENTENCE = 11
KINDS: Mapping[str, Mapping[str, Any]] = {
    "lambdarank": {"objective": "lambdarank"},
    "categories": {"objective": "lambdarank", "min_data_per_group": 5, "cat_smooth": 1},
    "missing values": {"objective": "lambdarank", "missing": 0.2},
    "zero as missing": {"objective": "lambdarank", "zero_as_missing": True, "missing": 0.2},
    "infinite values": {"objective": "lambdarank", "infinite": 0.1},
    "regression": {"objective": "regression"},
    "probability": {"objective": "binary"},
    "dropped trees": {"objective": "lambdarank", "boosting": "dart"},
    "sampled rows": {"objective": "binary", "boosting": "goss"},
    "monotone": {"objective": "regression", "monotone_constraints": [1, -1, 0, 0, 0, 0], "max_depth": 2},
}


def train_kind(kind: str, rounds: int = 6) -> str:
    """Trains a model of this kind on 400 random rows; returns its file."""
    params, rng = dict(KINDS[kind]), np.random.default_rng(3)
    features = rng.random((400, len(FEATURES))).astype(np.float32)
    features[:, CATEGORIES] = np.arange(400) % 40
    wanted = (features[:, 0] + (features[:, CATEGORIES] % 2) > 0.9).astype(int)
    features[rng.random(features.shape) < params.pop("missing", 0.0)] = np.nan
    infinite = rng.random(features.shape) < params.pop("infinite", 0.0)
    features[infinite] = rng.choice([np.inf, -np.inf], infinite.sum())
    is_ranker = params["objective"] == "lambdarank"
    data = lightgbm.Dataset(
        features,
        wanted,
        group=[20] * 20 if is_ranker else None,
        categorical_feature=[CATEGORIES] if kind == "categories" else [],
        feature_name=list(FEATURES),
    )
    stated = {"num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5, **params}
    text: str = lightgbm.train(stated, data, num_boost_round=rounds).model_to_string()
    return text


def resize(text: str) -> str:
    """Returns a model file with the sizes of its trees as they are: LightGBM reads what was changed."""
    begin, end = text.index("\nTree=") + 1, text.index("end of trees")
    trees = re.split(r"(?<=\n)(?=Tree=)", text[begin:end])
    sizes = " ".join(str(len(tree)) for tree in trees)
    return re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", text, count=1)


def mutate(text: str, seed: int) -> str:
    """Cuts a file, removes or doubles a part, or changes some characters of its numbers."""
    rng = random.Random(seed)
    kind, at = seed % 4, rng.randrange(len(text))
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + text[at + rng.randrange(1, 300) :]
    if kind == 2:
        return text[:at] + text[at - rng.randrange(1, 300) :] if at > 300 else text * 2
    end = text.index("end of trees")
    places = [place for place in range(end) if text[place] in "0123456789-."]
    changed = list(text)
    for place in rng.sample(places, 3):
        changed[place] = rng.choice("0123456789-. einf")
    return resize("".join(changed)) if rng.random() < 0.7 else "".join(changed)


def try_file(directory: Path, text: str) -> str:
    """Registers and loads a file. Returns the code of the refusal, `model`, or what is wrong with either."""
    model = directory / "mine.txt"
    model.write_text(text)
    registry = Registry(directory / "models")
    try:
        name = registry.add_external(model, {"id": "mine", "features": list(FEATURES)}, FEATURES, "-".join)
        ranker = load_ranker(registry.find_directory(name), FEATURES, "-".join)
    except ModelRejected as refused:
        is_said = len(refused.reason) >= MIN_SENTENCE and refused.remedy
        return refused.code if is_said else f"NO SENTENCE: {refused.reason!r}"
    scores = ranker.score(build_rows())
    is_whole = np.isfinite(scores).all() and np.isfinite(ranker.compute_contributions(build_rows()[:4])).all()
    return "model" if is_whole else "NOT FINITE"


def build_rows() -> NDArray[np.float32]:
    """Builds rows [60, 6] with missing and infinite values."""
    rng = np.random.default_rng(5)
    rows = rng.random((60, len(FEATURES))) * 40
    odd = rng.random(rows.shape) < 0.3
    rows[odd] = rng.choice([np.nan, np.inf, -np.inf, 0.0, 3e38], odd.sum())
    return rows.astype(np.float32)


def main(arguments: Sequence[str]) -> int:
    """Prints how many files of each kind were refused with which code. Returns 1 unless all is in order."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks mutations", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="files in all")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first file")
    options = parser.parse_args(arguments)
    texts = {kind: train_kind(kind) for kind in KINDS}
    outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    begun = time.monotonic()
    for number in range(options.count):
        kind = list(KINDS)[number % len(KINDS)]
        with tempfile.TemporaryDirectory(prefix="reelrank-mutations-") as directory:
            seed = options.seed + number // len(KINDS)
            outcomes[kind][try_file(Path(directory), mutate(texts[kind], seed))] += 1
    for kind, counts in outcomes.items():
        print(f"{kind:<16} {', '.join(f'{code} {count}' for code, count in sorted(counts.items()))}")
    bad = sum(count for counts in outcomes.values() for code, count in counts.items() if code[0].isupper())
    print(f"{options.count} files in {time.monotonic() - begun:.0f} s; {bad} without a sentence or a score")
    return int(bad > 0)
