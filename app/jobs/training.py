"""A training run: from what people watched to an index version with what was learned, and a model.

Three windows of time: embeddings for the ranker's training come from the first, its requests from
the second, and evaluation, with embeddings learned again on the first two, from the third.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import structlog

from reelrank.app.compute.backend import Compute
from reelrank.app.compute.ranker_training import train_models
from reelrank.app.jobs.choices import choose_cold_start_order, choose_settings, write_half_life_report
from reelrank.app.jobs.comparison import write_report
from reelrank.app.jobs.history import History, read_history
from reelrank.app.jobs.logged_pages import IN_PROCESS, TrainingSource, find_logged_training
from reelrank.app.release.lock import acquire_job_lock
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.wiring import Container, build_release_manager
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.loaders.items.catalogue import LoadOptions
from reelrank.loaders.items.reindex import attach_embeddings, reindex
from reelrank.ranking.drift.histograms import PROFILE_FILE, write_profile
from reelrank.ranking.embeddings.learn_embeddings import Embeddings, learn_embeddings
from reelrank.ranking.embeddings.preferences import select_preferences
from reelrank.ranking.evaluation.candidate_recall import CandidateRecall, measure_candidate_recall
from reelrank.ranking.evaluation.comparison import Evaluation, evaluate
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.evaluation.order_measures import describe_cold_start
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.labels.grades import Grader, build_grader
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.blending import blend_rankers
from reelrank.ranking.rankers.compiled_trees import compile_trees
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker, get_probability_function
from reelrank.ranking.retrieval.exact_matcher import ExactMatcher
from reelrank.ranking.training.backtest import BacktestIndex, backtest, backtest_returning
from reelrank.ranking.training.dataset import TrainingSet, build_training_set
from reelrank.ranking.training.position_bias import correct_position_bias
from reelrank.ranking.training.profile import build_manifest, build_profile
from reelrank.ranking.training.returning import hold_out_returning

log = structlog.get_logger("reelrank.learning")

TRAINING_REQUESTS, EVALUATION_REQUESTS = 2500, 1000
RETURNING_SHARE = 0.2
"""Most requests of returning viewers, as a share of those of the window."""
FUSED_ORDER = FusedOrder()


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What a training run made: a model's id, an index version, and how good the ranking is.

    learned_from: the requests that the ranker learned from, in words.
    """

    model: str
    version: str
    evaluation: Evaluation
    recall: list[CandidateRecall]
    learned_from: str


Publisher = Callable[[Container, Embeddings, Progress, str], str]
"""Makes an index version of embeddings and a model by its id; returns the name of the version."""
RowCollector = Callable[[History, Progress], tuple[TrainingSet, str]]  # and in words what the rows are


def train(
    container: Container,
    progress: Progress,
    source: TrainingSource | RowCollector = TrainingSource.AUTO,
    publisher: Publisher | None = None,
    compute: Compute = IN_PROCESS,
) -> TrainingRun:
    """Runs a whole training. The old release serves until the new index version and model do, together.

    source: of rows, or a collector. publisher: takes both; None: they serve. Raises Conflict, NotFound.
    """
    if isinstance(source, TrainingSource):
        source = partial(collect_rows, source=source, compute=compute)
    with acquire_job_lock(container.settings.data_dir / "training.lock", 0, "another training"):
        return _train(container, progress, source, publisher or publish, compute)


def _train(
    container: Container, progress: Progress, collect: RowCollector, publisher: Publisher, compute: Compute
) -> TrainingRun:
    build_release_manager(container).settle()
    history = read_history(container)
    window = (history.training_ms, history.evaluation_ms)
    chosen = choose_settings(container, history.events, window, progress)
    container, history = chosen.container, replace(history, container=chosen.container)
    rows, learned_from = collect(history, progress)
    corrected = correct_position_bias(rows, container.settings.position_bias)
    blend, budget_s = container.config.blend, container.settings.tuning_seconds
    models = train_models(compute, corrected, budget_s, blend.pointwise > 0, progress)
    trained, order = models.order, models.build_ranker("candidate")
    cold_start = choose_cold_start_order(history, order, rows.held_out_ms, progress)
    order.ranks_cold_start = cold_start.is_by_model
    ranker = blend_rankers(order, blend)
    judged = collect_judged_requests(history, progress, ranker=ranker)
    evaluation = evaluate(judged, ranker.name, get_probability_function(ranker))
    evaluation = replace(evaluation, notes=(describe_cold_start(cold_start),))
    recall = measure_candidate_recall(judged)
    learned = learn_embeddings(select_preferences(history.events, MAX_TIME_MS), progress)
    learned_ms = (int(history.events["at_ms"].to_numpy().min()), history.evaluation_ms)
    manifest = build_manifest(trained, evaluation, learned.compute_fingerprint(), learned_ms)
    parts = {"pointwise": models.describe_pointwise(), "cold_start": cold_start}
    manifest = manifest.model_copy(update=parts)
    golden = np.concatenate([request.features[:10] for request in judged[:25]])
    model = container.registry.register(manifest, trained.model_text, golden, models.pointwise_text)
    directory = container.registry.find_directory(model)
    if problem := compile_trees(directory):
        log.info("the trees are not compiled", model=model, reason=problem)
    write_profile(directory / PROFILE_FILE, build_profile(rows, FEATURE_NAMES, learned_from, trained.gains))
    version = publisher(container, learned, progress, model)
    if publisher is publish:
        write_report(container.settings.reports_dir, replace(evaluation, model=model), trained.gains)
        write_half_life_report(container.settings.reports_dir, chosen.half_life)
    return TrainingRun(model, version, evaluation, recall, learned_from)


def collect_rows(
    history: History, progress: Progress, source: TrainingSource, compute: Compute = IN_PROCESS
) -> tuple[TrainingSet, str]:
    """Returns what the ranker learns from, and says in words what that is."""
    logged = find_logged_training(history.container, source, _build_grader(history), progress, compute)
    if logged is not None:
        return logged.rows, logged.describe()
    rows = collect_training_set(history, progress)
    return rows, f"{len(rows.groups):,} past requests of the loaded history"


def collect_training_set(
    history: History, progress: Progress, requests: int = TRAINING_REQUESTS
) -> TrainingSet:
    """Collects requests of the second window to learn from. Raises NotFound when there is none."""
    try:
        return build_training_set(replay_training_requests(history, progress, requests))
    except ValueError as error:
        raise NotFound(str(error), code="no_requests_to_learn_from") from error


def replay_training_requests(
    history: History, progress: Progress, requests: int = TRAINING_REQUESTS
) -> Iterator[JudgedRequest]:
    """Yields home pages of viewers who return after the first window, then requests of the second window.

    The last watches of viewers who return are held out of everything that is learned and counted.
    """
    window = (history.training_ms, history.evaluation_ms)
    limit = int(RETURNING_SHARE * requests)
    returning = hold_out_returning(history.events, history.training_ms, limit)
    known = replace(history, events=returning.kept)
    with open_backtest_index(known, history.training_ms, progress) as world:
        options = history.build_training_options(requests, _build_grader(known))
        yield from backtest_returning(returning, world, history.training_ms, options)
        yield from backtest(known.events, world, window, options, progress)


def collect_judged_requests(
    history: History,
    progress: Progress,
    requests: int = EVALUATION_REQUESTS,
    ranker: Ranker = FUSED_ORDER,
) -> list[JudgedRequest]:
    """Collects requests of the third window, which nothing was learned or chosen on, as `ranker` orders them.

    Raises NotFound without any.
    """
    window = (history.evaluation_ms, history.end_ms)
    with open_backtest_index(history, history.evaluation_ms, progress) as world:
        options = history.build_backtest_options(requests)
        index = replace(world, ranker=ranker)
        judged = list(backtest(history.events, index, window, options, progress))
    if not judged:
        reason = "the newest watches have no new items to evaluate on; load more events"
        raise NotFound(reason, code="no_requests_to_evaluate")
    return judged


def publish(
    container: Container, embeddings: Embeddings, progress: Progress, model: str = FusedOrder.name
) -> str:
    """Makes an index version with these embeddings, its item table and a model serve as one release."""
    tables = ItemTableStore(container.settings.tables_dir, container.engine)
    releases = build_release_manager(container)
    releases.settle()
    fingerprint = embeddings.compute_fingerprint()
    options = LoadOptions(
        versions_to_keep=container.settings.index_keep,
        before_promote=lambda version: tables.build(version, embeddings.fold_in, fingerprint, progress),
        promote=lambda version: releases.publish(version, model, fingerprint, "train"),
        list_kept_versions=releases.list_kept_versions,
        created_at=container.clock.now(),
    )
    report = reindex(container.engine, container.encoder, embeddings, options, progress)
    releases.forget_dropped_versions()
    tables.drop_stale()
    return report.version


@contextmanager
def open_backtest_index(history: History, before_ms: int, progress: Progress) -> Iterator[BacktestIndex]:
    """Opens the item table and matcher as they would have been at `before_ms`."""
    learned = learn_embeddings(select_preferences(history.events, before_ms), progress)
    parts = history.container
    with tempfile.TemporaryDirectory() as directory:
        batches = attach_embeddings([history.documents], learned)
        store = ItemTableStore(parts.settings.tables_dir, parts.engine)
        table = store.build_replayed(Path(directory) / "table", batches, learned.fold_in)
        matcher = ExactMatcher(table, learned.neighbours, parts.engine)
        yield BacktestIndex(table, matcher, parts.encoder, synonyms=parts.synonyms)


def _build_grader(history: History) -> Grader:
    """Builds the grader of the label that the settings name from watches before the second window."""
    events = history.events
    is_earlier = pc.and_(pc.equal(events["kind"], "watch"), pc.less(events["at_ms"], history.training_ms))
    return build_grader(history.container.settings.label, events.filter(is_earlier))
