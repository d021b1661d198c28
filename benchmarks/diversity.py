"""`python -m benchmarks diversity`: the price of a diverse home page, by the setting REELRANK_DIVERSITY.

Home pages of the window before the evaluation window, so that the setting is not chosen on what a model is
judged by: the model learns from the window before that.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.markdown import format_table
from reelrank.app.jobs.history import History, read_history, select_earlier_window
from reelrank.app.jobs.training import collect_training_set, open_backtest_index
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_intervals
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.evaluation.metrics import ndcg_at
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.policies.diversity import SPACE, MaximalMarginalRelevance
from reelrank.ranking.policies.policy import Order, ScoredCandidates
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.backtest import backtest
from reelrank.ranking.training.lambdarank import train_ranker
from reelrank.ranking.training.past_requests import BacktestOptions

VALUES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
PAGE = 10
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class DiversityPrice:
    """NDCG@10, its difference from that without diversity, and the mean similarity of the first ten."""

    diversity: float
    ndcg: Interval
    difference: Interval
    similarity: float


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks diversity", description=__doc__)
    parser.add_argument("--demo", type=Path, required=True, help="data directory of the demo; not changed")
    parser.add_argument("--requests", type=int, default=1000, help="home pages to judge, and to learn from")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the table and the curve go")
    options = parser.parse_args(arguments)
    logging.getLogger("gensim").setLevel(logging.WARNING)
    history = select_earlier_window(read_history(build_container(Settings(data_dir=options.demo))))
    prices = measure(history, options.requests)
    table = format_prices(prices)
    print(table, flush=True)
    (options.results / "diversity.md").write_text(table + "\n")
    (options.results / "diversity.json").write_bytes(orjson.dumps(prices, option=orjson.OPT_INDENT_2))
    write_curve(prices, options.results / "diversity.svg")
    return 0


def measure(history: History, requests: int) -> list[DiversityPrice]:
    """Measures the served order of home pages at each value, paired and resampled by viewer."""
    training = collect_training_set(history, ignore_progress, requests)
    ranker = LambdaRank("diversity", FEATURE_NAMES, train_ranker(training, FEATURE_NAMES).model_text)
    window, options = (history.evaluation_ms, history.end_ms), BacktestOptions(requests=requests)
    with open_backtest_index(history, history.evaluation_ms, ignore_progress) as index:
        pages = list(backtest(history.events, replace(index, ranker=ranker), window, options))
        measured = np.array([[_measure(page, index.table, value) for value in VALUES] for page in pages])
    users = np.array([page.request.viewer.user for page in pages])
    ndcg, similarity = measured[:, :, 0], measured[:, :, 1].mean(axis=0)
    means = bootstrap_intervals(ndcg, groups=users)
    gaps = bootstrap_intervals(ndcg - ndcg[:, :1], groups=users)
    columns = zip(VALUES, means, gaps, similarity.tolist(), strict=True)
    return [DiversityPrice(*column) for column in columns]


def format_prices(prices: Sequence[DiversityPrice]) -> str:
    rows = [(f"{p.diversity:g}", str(p.ndcg), str(p.difference), f"{p.similarity:.3f}") for p in prices]
    return format_table(("diversity", "NDCG@10", "minus that at 0", "similarity of the first ten"), rows)


def write_curve(prices: Sequence[DiversityPrice], path: Path) -> None:
    """Plots the difference of NDCG@10 by diversity, with 95 % intervals."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    axes = figure.subplots()
    values = [price.diversity for price in prices]
    gaps = [price.difference for price in prices]
    axes.axhline(0, color="0.6", linewidth=1)
    axes.vlines(values, [g.low for g in gaps], [g.high for g in gaps], color="#0072B2", linewidth=2.5)
    axes.plot(values, [g.mean for g in gaps], "o-", color="#0072B2")
    axes.set_xlabel("diversity")
    axes.set_title("NDCG@10 of home pages minus that without diversity", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    with rc_context({"svg.hashsalt": "diversity"}):
        figure.savefig(path, metadata={"Date": None})


def _measure(page: JudgedRequest, table: ItemTable, diversity: float) -> tuple[float, float]:
    """Returns NDCG@10 and the mean cosine of the first ten items with each other."""
    rows = table.find_rows(page.candidates.ids)
    order = _diversify(page, rows, table, diversity)
    vectors: NDArray[np.float32] = table.vectors[SPACE][rows[order[:PAGE]]]
    cosines, pairs = vectors @ vectors.T, max(len(vectors) * (len(vectors) - 1), 1)
    gains = page.compute_candidate_gains()[order]
    similarity = float((cosines.sum() - np.trace(cosines)) / pairs)
    return ndcg_at(gains, page.gains, PAGE), similarity


def _diversify(page: JudgedRequest, rows: Order, table: ItemTable, diversity: float) -> Order:
    candidates = ScoredCandidates(
        page.request.query, page.candidates.ids, rows, page.scores, {}, table, Popularity(0), 0
    )
    config = BacktestOptions().config
    return (
        MaximalMarginalRelevance().apply(page.order, candidates, replace(config, diversity=diversity)).order
    )
