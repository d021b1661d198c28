"""Ablation on the demo: the effect of each group of features, source and text encoder, and encoder costs.

A window of its history is backtested, trained on and judged as `reelrank train` does, once for each part that
is left out. Another process does the same with the window before.
"""

import logging
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.ablation import (
    FULL,
    NO_RANKER,
    AblationPlan,
    RankedMeasures,
    run_ablation,
)
from benchmarks.quality.datasets import DatasetMissing
from benchmarks.quality.encoder_costs import Cost, measure_cost
from benchmarks.quality.encoders import CachedEncoder, describe_missing, list_encoders
from benchmarks.quality.report import Goal, Report, Row, Value
from reelrank.app.jobs.demo import load_demo_data
from reelrank.app.jobs.history import History, read_history, select_earlier_window
from reelrank.app.jobs.lab.window import WITHOUT, run_backtest
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.encoder import build_item_text
from reelrank.index_mappings.errors import NotFound
from reelrank.loaders.demo import load_demo
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_difference, bootstrap_interval
from reelrank.ranking.evaluation.judged_request import HOME, SIMULATED_SEARCH
from reelrank.ranking.evaluation.order_measures import NDCG
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.lambdarank import PARAMS

NAME = "demo"
GAIN_NAME, EARLIER = "NDCG@10 minus the full system's", "the same in the window before"
SMALL_PLAN = AblationPlan(400, 200, (PARAMS["seed"],), ("popularity",), ("bm25",))
COST_SAMPLE_SIZE = 300


def measure(progress: Progress, small: bool = False, data_dir: Path | None = None) -> Report:
    """Measures the demo in data_dir, or in a temporary directory to which it is loaded.

    Raises DatasetMissing.
    """
    with tempfile.TemporaryDirectory() as temporary:
        if data_dir is None:
            data_dir = Path(temporary)
            _load_demo(data_dir, progress)
        if small:
            return _build_report(_judge_window(_read_history(data_dir), SMALL_PLAN, progress), {}, [])
        # spawned: LightGBM hangs in a forked process if the parent had loaded it
        with ProcessPoolExecutor(2, get_context("spawn")) as processes:
            later, earlier = processes.map(partial(_measure_window, data_dir, progress), (False, True))
        return _build_report(later, earlier.ranked, _measure_costs(_read_history(data_dir)))


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Results of a window. kinds: of the judged requests. constant_features: with one value in all rows."""

    ranked: RankedMeasures
    kinds: NDArray[np.str_]
    constant_features: tuple[str, ...]
    summary: str


def _measure_window(data_dir: Path, progress: Progress, is_earlier: bool) -> Window:
    logging.getLogger("gensim").setLevel(logging.WARNING)
    others = [CachedEncoder(encoder) for encoder in list_encoders()[1:]]
    history = _read_history(data_dir)
    judged = select_earlier_window(history) if is_earlier else history
    window = _judge_window(judged, AblationPlan(encoders=others), progress)
    if not is_earlier:
        for other in others:
            other.save()
    return window


def _judge_window(history: History, plan: AblationPlan, progress: Progress) -> Window:
    full = run_backtest(history, plan.training, plan.judged)
    requests = f"{len(full.judged)} judged requests, {len(full.training.groups)} training requests"
    summary = f"{len(history.documents):,} films, {len(history.events):,} events; {requests}"
    return Window(
        run_ablation(history, full, plan, progress), full.list_kinds(), full.find_constant_features(), summary
    )


def _load_demo(data_dir: Path, progress: Progress) -> None:
    """Loads the demo. Raises DatasetMissing if its packages are not installed."""
    try:
        load_demo_data(
            build_container(Settings(data_dir=data_dir)), load_demo(round(time.time() * 1000)), progress
        )
    except ModuleNotFoundError as error:
        raise DatasetMissing(f"{error.name} is not installed; pip install 'reelrank[demo]'") from error


def _read_history(data_dir: Path) -> History:
    """Reads the history of a data directory. Raises DatasetMissing if it has none."""
    try:
        return read_history(build_container(Settings(data_dir=data_dir)))
    except NotFound as error:
        raise DatasetMissing(f"{data_dir}: {error}; or run: reelrank demo") from error


def _measure_costs(history: History) -> list[Cost]:
    films = [document.item for document in history.documents[:: len(history.documents) // COST_SAMPLE_SIZE]]
    titles, texts = [film.title for film in films], [build_item_text(film) for film in films]
    return [measure_cost(encoder, titles, texts) for encoder in list_encoders()]


def _build_report(window: Window, earlier: RankedMeasures, costs: Sequence[Cost]) -> Report:
    later = window.ranked
    return Report(
        NAME,
        f"The demo: {window.summary}",
        GAIN_NAME,
        [Row(name, _measure_system(name, later, earlier, window.kinds)) for name in later],
        [_build_fused_goal(later), *build_ablation_goals(later, earlier)],
        [
            "not measured, because they have one value in all training rows: "
            + ", ".join(window.constant_features),
            *(str(cost) for cost in costs),
            *([describe_missing()] if describe_missing() else []),
        ],
        {"costs": [asdict(cost) for cost in costs]},
    )


def _measure_system(
    name: str, later: RankedMeasures, earlier: RankedMeasures, kinds: NDArray[np.str_]
) -> dict[str, Value]:
    values: dict[str, Value] = {"NDCG@10": bootstrap_interval(later[name][:, NDCG])}
    if name == FULL:
        return values
    gap = later[name][:, NDCG] - later[FULL][:, NDCG]
    values[GAIN_NAME] = bootstrap_interval(gap)
    values |= {f"{kind} pages": bootstrap_interval(gap[kinds == kind]) for kind in (HOME, SIMULATED_SEARCH)}
    return values | ({EARLIER: _compute_gap(earlier, name)} if earlier else {})


def _compute_gap(ranked: RankedMeasures, name: str, baseline: str = FULL) -> Interval:
    return bootstrap_difference(ranked[name][:, NDCG], ranked[baseline][:, NDCG])


def _build_fused_goal(later: RankedMeasures) -> Goal:
    """Requires that the full system ranks certainly better than the fused order."""
    low = _compute_gap(later, FULL, NO_RANKER).low
    return Goal("lower end of the interval of the full system minus the fused order", low, 0)


def build_ablation_goals(later: RankedMeasures, earlier: RankedMeasures) -> list[Goal]:
    """Requires that leaving a part out never ranks certainly better in both windows.

    One interval excludes 0 by chance once in twenty, and there are more than twenty rows.
    """
    certain = {
        name: min(_compute_gap(later, name).low, _compute_gap(earlier, name).low)
        for name in earlier
        if name.startswith(WITHOUT)
    }
    if not certain:
        return []
    worst = max(certain, key=certain.__getitem__)
    return [
        Goal(
            f"largest certain gain in both windows from leaving a part out ({worst}), negated",
            -certain[worst],
            0,
        )
    ]
