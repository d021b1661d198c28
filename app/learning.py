"""A training run: from what people watched to an index version with what was learned, and a model.

Three windows of time: embeddings for the ranker's training come from the first, its requests from
the second, and evaluation, with embeddings learned again on the first two, from the third.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from app.tables import Tables
from app.wiring import Parts, load_model
from index_mappings.encoder import ENCODER_NAME
from index_mappings.errors import NotFound
from index_mappings.fingerprint import index_fingerprint
from index_mappings.item import Document
from loaders.catalogue import LoadOptions
from loaders.reindex import attached, reindex
from ranking.candidate_recall import CandidateRecall, candidate_recall
from ranking.evaluation import Evaluation, evaluate
from ranking.exact_matcher import ExactMatcher
from ranking.features.compute import FEATURE_NAMES
from ranking.features.situation import HASH_BUCKETS, HASH_SEEDS
from ranking.fingerprint import feature_fingerprint
from ranking.forest import compile_forest
from ranking.item_table import build_table
from ranking.judged import Judged
from ranking.learned import Learned, learn
from ranking.manifest import Manifest
from ranking.plots import write_gains_plot, write_quality_plot
from ranking.progress import Progress
from ranking.ranker import LambdaRank, probability_of
from ranking.replay import ReplayOptions, World, replayed
from ranking.train import Trained, train_ranker
from ranking.training_set import TrainingSet, training_set_of
from ranking.watches import event_table, watches_before

log = structlog.get_logger("reelrank.learning")

TRAINING_FROM, EVALUATION_FROM = 0.70, 0.85
"""Shares of the watches, in the order of time, where the second and the third window begin. A service
records twenty impressions for each, loaded history has none: counted too, they would move the windows."""
LEAST_WATCHES = 100
TRAINING_REQUESTS, EVALUATION_REQUESTS = 2500, 1000
FOREVER_MS = 2**62


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training run made: a model's id, an index version, and how good the ranking is."""

    model: str
    version: str
    evaluation: Evaluation
    recall: list[CandidateRecall]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """All events and documents, and the moments where the windows of watches begin and the last one ends."""

    parts: Parts
    events: pa.Table
    documents: list[Document]
    training_ms: int
    evaluation_ms: int
    end_ms: int

    def options(self, requests: int) -> ReplayOptions:
        titles = {document.item.id: document.item.title for document in self.documents}
        return ReplayOptions(requests=requests, caps=self.parts.caps, titles=titles)


def train(parts: Parts, progress: Progress) -> Outcome:
    """The whole run. The old index version and the old model serve until each new one is whole."""
    history = read_history(parts)
    trained = train_ranker(training_set(history, progress), FEATURE_NAMES, progress)
    judged = judged_requests(history, progress)
    ranker = LambdaRank("candidate", FEATURE_NAMES, trained.model_text)
    ranker.calibration = trained.calibration
    evaluation = evaluate(judged, ranker, probability_of(ranker))
    recall = candidate_recall(judged)
    manifest = _manifest(history, trained, evaluation)
    model = parts.registry.register(manifest, trained.model_text, _golden(judged))
    if problem := compile_forest(parts.registry.directory_of(model)):
        log.info("the trees are not compiled", model=model, reason=problem)
    learned = learn(watches_before(history.events, FOREVER_MS), progress)
    version = publish(parts, learned, progress)
    parts.registry.promote(model, load_model)
    write_report(parts.settings.reports_dir, replace(evaluation, model=model), trained.gains)
    return Outcome(model, version, evaluation, recall)


def read_history(parts: Parts) -> History:
    """Raises NotFound when there are no items or too few watches to split by time."""
    version = parts.engine.serving_version()
    if version is None:
        raise NotFound("no index version serves; load items first: reelrank load items FILE")
    events = event_table(parts.events.scan(0, FOREVER_MS))
    times = np.sort(events.filter(pc.equal(events["kind"], "watch"))["at_ms"].to_numpy())
    if len(times) < LEAST_WATCHES:
        raise NotFound(
            f"{len(times)} watches are too few to learn from, {LEAST_WATCHES} are the least; load more: "
            "reelrank load events FILE"
        )
    training, evaluation = (int(times[int(share * len(times))]) for share in (TRAINING_FROM, EVALUATION_FROM))
    documents = [document for batch in parts.engine.scan(version) for document in batch]
    return History(parts, events, documents, training, evaluation, int(times[-1]) + 1)


def training_set(history: History, progress: Progress, requests: int = TRAINING_REQUESTS) -> TrainingSet:
    """Requests of the second window, for the ranker to learn from. Raises NotFound when nothing can be."""
    window = (history.training_ms, history.evaluation_ms)
    with _world(history, history.training_ms, progress) as world:
        options = history.options(requests)
        try:
            return training_set_of(replayed(history.events, world, window, options, progress))
        except ValueError as error:
            raise NotFound(str(error)) from error


def judged_requests(
    history: History, progress: Progress, requests: int = EVALUATION_REQUESTS
) -> list[Judged]:
    """Requests of the third window, which nothing was learned or chosen on. Raises NotFound without any."""
    window = (history.evaluation_ms, history.end_ms)
    with _world(history, history.evaluation_ms, progress) as world:
        options = history.options(requests)
        judged = list(replayed(history.events, world, window, options, progress))
    if not judged:
        raise NotFound("the newest watches are none of something new to judge by; load more events")
    return judged


def publish(parts: Parts, learned: Learned, progress: Progress) -> str:
    """A new index version with what was learned, and its item table; serving when this returns."""
    tables = Tables(parts.settings.tables_dir, parts.engine)
    before_promote = partial(tables.build, folding=learned.folding, progress=progress)
    options = LoadOptions(keep=parts.settings.index_keep, before_promote=before_promote)
    report = reindex(parts.engine, learned, options, progress)
    tables.drop_stale()
    return report.version


def write_report(directory: Path, evaluation: Evaluation, gains: dict[str, float]) -> None:
    """evaluation.json, quality and gains as SVG and PNG."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "evaluation.json").write_bytes(
        orjson.dumps(evaluation.to_dict(), option=orjson.OPT_INDENT_2)
    )
    write_quality_plot(evaluation, directory / "quality")
    write_gains_plot(gains, directory / "gains")


@contextmanager
def _world(history: History, before_ms: int, progress: Progress) -> Iterator[World]:
    """The item table and matcher as they would have been at a moment."""
    learned = learn(watches_before(history.events, before_ms), progress)
    parts = history.parts
    with tempfile.TemporaryDirectory() as place:
        batches = attached([history.documents], learned)
        table = build_table(Path(place) / "table", "replayed", batches, learned.folding)
        yield World(table, ExactMatcher(table, learned.neighbours, parts.engine), parts.encoder)


def _golden(judged: list[Judged]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.concatenate([each.features[:10] for each in judged[:25]])


def _manifest(history: History, trained: Trained, evaluation: Evaluation) -> Manifest:
    systems = [system for system in evaluation.systems("all") if system != "lambdarank"]
    return Manifest(
        features=FEATURE_NAMES,
        hash_seeds=HASH_SEEDS,
        hash_buckets=dict.fromkeys(HASH_SEEDS, HASH_BUCKETS),
        feature_fingerprint=feature_fingerprint(FEATURE_NAMES),
        encoder=ENCODER_NAME,
        index_fingerprint=index_fingerprint(),
        data_window=(int(history.events["at_ms"].to_numpy().min()), history.evaluation_ms),
        metrics=evaluation.measured("lambdarank"),
        baselines={system: evaluation.measured(system) for system in systems},
        gains=trained.gains,
        params=trained.params,
        calibration=trained.calibration,
    )
