"""A sample project for tests: 24 films of two topics, 40 viewers who each watched six of one, models."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import lightgbm
import numpy as np

from reelrank.app.jobs.training import publish
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Item
from reelrank.loaders.events.history import load_history
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.embeddings.learn_embeddings import learn_embeddings
from reelrank.ranking.embeddings.watches import build_event_table, select_watches
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.calibration import Calibration
from reelrank.ranking.rankers.manifest import Manifest, PointwiseModel

EMBEDDED_SETTINGS: Mapping[str, str] = {}
SEA, SPACE = "sea", "space"
FILMS = [
    Item(f"{topic}{n}", f"{topic.title()} story {n}", genres=(topic.title(),), duration_s=6000,
         published_at=datetime(2000 + n, 1, 1, tzinfo=UTC))
    for topic in (SEA, SPACE)
    for n in range(12)
]  # fmt: skip


def build_project(
    data_dir: Path,
    now: datetime,
    extra_films: Sequence[Item] = (),
    engine_settings: Mapping[str, str] = EMBEDDED_SETTINGS,
) -> Container:
    """Builds a project with learned embeddings and no model. extra_films: films without watches."""
    parts = build_container(
        Settings.model_validate({"data_dir": data_dir, "deadline_ms": 5000, **engine_settings})
    )
    load_catalogue([*FILMS, *extra_films], parts.engine, parts.encoder, LoadOptions(created_at=now))
    now_ms = round(now.timestamp() * 1000)
    load_history(_build_watches(now_ms), parts.events)
    publish(
        parts,
        learn_embeddings(select_watches(build_event_table(parts.events.scan(0, now_ms)), now_ms)),
        ignore_progress,
    )
    return parts


def add_model(parts: Container, model_id: str, seed: int, has_pointwise: bool = False) -> str:
    """Registers a model that fits this build, if asked with a second one to blend; seeds give orders."""
    rng = np.random.default_rng(seed)
    rows = rng.random((400, len(FEATURE_NAMES))).astype(np.float32)
    wanted = (rows @ rng.normal(size=len(FEATURE_NAMES)) > 0).astype(int)
    data = lightgbm.Dataset(rows, wanted, group=[20] * 20, feature_name=list(FEATURE_NAMES))
    params = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    text = lightgbm.train(params, data, num_boost_round=5).model_to_string()
    known, pointwise_text = {}, ""
    if has_pointwise:
        other = lightgbm.Dataset(rows[::-1], wanted, feature_name=list(FEATURE_NAMES))
        binary = {**params, "objective": "binary"}
        pointwise_text = lightgbm.train(binary, other, num_boost_round=5).model_to_string()
        calibration = Calibration(slope=2.0, intercept=-1.0)
        known = {"calibration": calibration, "pointwise": PointwiseModel(calibration=calibration)}
    fingerprint = compute_feature_fingerprint(FEATURE_NAMES)
    manifest = Manifest(id=model_id, features=FEATURE_NAMES, feature_fingerprint=fingerprint, **known)
    return parts.registry.register(manifest, text, rows[:30], pointwise_text)


def _build_watches(now_ms: int) -> list[Event]:
    rng = np.random.default_rng(0)
    return [
        Event(
            f"{user}-{n}", "watch", f"u{user}", now_ms - 1_000_000 + n, f"{(SEA, SPACE)[user % 2]}{n}", 9, 10
        )
        for user in range(40)
        for n in rng.permutation(12)[:6].tolist()
    ]
