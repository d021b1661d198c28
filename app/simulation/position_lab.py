"""The position lab: ways of correcting for positions, on simulated clicks whose truth is known.

Pages are ordered by a fashion that says little about what viewers want, and viewers look at the top of a page
more. So items of the fashion are clicked more than they deserve, and a ranker that trusts clicks learns it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.behaviour import (
    EXAMINATION_DECAY,
    compute_log_odds,
    compute_truth,
)
from reelrank.app.simulation.films import Films, create_generator, make_films
from reelrank.app.simulation.viewers import Viewers, Visits
from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_intervals
from reelrank.ranking.evaluation.metrics import ndcg_at
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import ShownAt, TrainingSet
from reelrank.ranking.training.lambdarank import train_ranker
from reelrank.ranking.training.position_bias import Examination, estimate_examination, weigh_used

FEATURES = ("affinity", "appeal", "age_days", "fashion", "noise")
POSITION = "position"
FILMS, VIEWERS, CANDIDATES, SIZE = 1000, 300, 60, 20
START_MS = 20_000 * DAY_MS
BLUR = 0.3
"""Standard deviation of what a ranker sees around the truth: with less of it every way finds the truth."""
FASHION = 0.8
"""Share of the order of served pages that is fashion; the rest is affinity and appeal."""
NOTHING = "nothing"
WAYS = (
    NOTHING,
    "position parameter",
    "position as a feature",
    "inverse propensities",
    "inverse propensities, true ones",
    "only what was looked at",
    "no position bias (not possible)",
)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedClicks:
    """Pages of SIZE rows. rows: with clicks as gains. is_viewed, unbiased [rows]: what was looked at, and
    clicks as they would be if all of a page were. judged [p, CANDIDATES, F]: features of the candidates of
    other pages. truth [p, CANDIDATES]: the probability of their clicks if looked at. viewers [p]."""

    rows: TrainingSet
    is_viewed: NDArray[np.bool_]
    unbiased: NDArray[np.int32]
    judged: NDArray[np.float32]
    truth: NDArray[np.float64]
    viewers: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One way: NDCG@10 by the truth, the difference to NOTHING, and the share of the gain that is fashion."""

    way: str
    ndcg: Interval
    difference: Interval
    fashion: float


@dataclass(frozen=True, slots=True)
class PositionReport:
    """The table; decay, true_decay: of examination, as estimated from exploration slots and as it is."""

    rows: tuple[PositionRow, ...]
    pages: int
    clicks: int
    judged_pages: int
    decay: float | None
    true_decay: float


def compare_ways(
    pages: int, judged_pages: int, seed: int = 0, progress: Progress = ignore_progress
) -> PositionReport:
    """Simulates pages, trains in each of WAYS and measures by the truth; intervals resample viewers."""
    clicks, scores, shares = simulate_clicks(pages, judged_pages, seed), dict[str, NDArray[np.float64]](), {}
    estimated = estimate_examination(clicks.rows)
    for done, (way, rows) in enumerate(build_training_sets(clicks, estimated).items()):
        scores[way], shares[way] = _train_and_judge(way, rows, clicks)
        progress(f"trained with {way}", done + 1, len(WAYS))
    measured = np.column_stack([*scores.values(), *(values - scores[NOTHING] for values in scores.values())])
    intervals = bootstrap_intervals(measured, seed, clicks.viewers)
    table = tuple(
        PositionRow(way, intervals[n], intervals[n + len(scores)], shares[way])
        for n, way in enumerate(scores)
    )
    decay = None if estimated is None else estimated.decay
    used = int(clicks.rows.gains.sum())
    return PositionReport(table, pages, used, judged_pages, decay, EXAMINATION_DECAY)


def simulate_clicks(pages: int, judged_pages: int, seed: int) -> SimulatedClicks:
    """Simulates pages in the order of fashion, each with one exploration slot at a random position."""
    rng = create_generator(seed, "position lab")
    visits, features, truth = _make_candidates(pages + judged_pages, seed, rng)
    served = FASHION * features[..., 3] + (1 - FASHION) * (features[..., 0] + features[..., 1])
    order = np.argsort(-served[:pages], axis=1, kind="stable")
    slots = rng.integers(0, SIZE, pages)
    picked = rng.integers(SIZE, CANDIDATES, pages)
    shown = order[:, :SIZE].copy()
    shown[np.arange(pages), slots] = order[np.arange(pages), picked]
    examined = rng.random((pages, 1)) < (np.arange(SIZE) + 1.0) ** -EXAMINATION_DECAY
    wanted = rng.random((pages, SIZE)) < np.take_along_axis(truth[:pages], shown, 1)
    propensities = np.full((pages, SIZE), np.nan, np.float32)
    propensities[np.arange(pages), slots] = 1 / (CANDIDATES - SIZE)
    rows = TrainingSet(
        np.take_along_axis(features[:pages], shown[..., None], 1).reshape(-1, len(FEATURES)),
        (examined & wanted).ravel().astype(np.int32),
        np.full(pages, SIZE, np.int32),
        shown=ShownAt(np.tile(np.arange(SIZE, dtype=np.int32), pages), propensities.ravel()),
    )
    names = np.char.add("viewer ", visits.rows[pages:].astype(np.str_))
    return SimulatedClicks(
        rows, examined.ravel(), wanted.ravel().astype(np.int32), features[pages:], truth[pages:], names
    )


def build_training_sets(clicks: SimulatedClicks, estimated: Examination | None) -> Mapping[str, TrainingSet]:
    """Returns what each of WAYS learns from, in their order; without an estimate that way is left out."""
    rows, plain = clicks.rows, replace(clicks.rows, shown=None)
    positions = np.zeros(0, np.int32) if rows.shown is None else rows.shown.positions
    with_position = np.column_stack([rows.features, positions.astype(np.float32)])
    viewed = plain.take(np.flatnonzero(clicks.is_viewed), np.add.reduceat(
        clicks.is_viewed.astype(np.int32), np.arange(0, len(clicks.is_viewed), SIZE)))  # fmt: skip
    sets = {
        WAYS[0]: plain,
        WAYS[1]: rows,
        WAYS[2]: replace(plain, features=with_position),
        WAYS[3]: None if estimated is None else weigh_used(rows, estimated),
        WAYS[4]: weigh_used(rows, Examination(EXAMINATION_DECAY)),
        WAYS[5]: viewed,
        WAYS[6]: replace(plain, gains=clicks.unbiased),
    }
    return {way: training for way, training in sets.items() if training is not None}


def _make_candidates(
    pages: int, seed: int, rng: np.random.Generator
) -> tuple[Visits, NDArray[np.float32], NDArray[np.float64]]:
    """Returns who asked, features [pages, CANDIDATES, F], and the probability of a click of each."""
    films, viewers = Films(seed), Viewers(seed, VIEWERS, START_MS, START_MS + 7 * DAY_MS)
    films.add(make_films(seed, "film", FILMS, START_MS - 100 * DAY_MS))
    at_ms = START_MS + np.sort(rng.integers(0, 7 * DAY_MS, pages))
    visits = Visits(rng.integers(0, VIEWERS, pages).astype(np.intp), at_ms)
    candidates = np.argsort(rng.random((pages, FILMS)), axis=1)[:, :CANDIDATES]
    tastes = viewers.compute_tastes(visits)
    log_odds = compute_log_odds(tastes, films, candidates, at_ms)
    truth = compute_truth(log_odds, films, candidates, np.zeros(candidates.shape, bool)).attraction
    affinity = np.einsum("bd,bkd->bk", tastes, films.factors[candidates])
    fashion = rng.normal(size=FILMS)
    columns = (
        affinity + rng.normal(0, BLUR, affinity.shape),
        films.appeal[candidates] + rng.normal(0, BLUR, affinity.shape),
        (at_ms[:, None] - films.published_ms[candidates]) / DAY_MS,
        fashion[candidates],
        rng.normal(size=affinity.shape),
    )
    return visits, np.stack(columns, axis=-1).astype(np.float32), truth


def _train_and_judge(
    way: str, rows: TrainingSet, clicks: SimulatedClicks
) -> tuple[NDArray[np.float64], float]:
    """Returns NDCG@10 [p] by the truth, and the share of the gain of fashion."""
    has_position = rows.features.shape[1] > len(FEATURES)
    names = (*FEATURES, POSITION) if has_position else FEATURES
    trained = train_ranker(rows, names, params={"num_threads": 1})
    judged = clicks.judged.reshape(-1, len(FEATURES))
    if has_position:
        judged = np.column_stack([judged, np.zeros(len(judged), np.float32)])
    scores = LambdaRank(way, names, trained.model_text).score(judged).reshape(clicks.truth.shape)
    return measure_truth(scores, clicks.truth), trained.gains["fashion"] / sum(trained.gains.values())


def measure_truth(scores: NDArray[np.float32], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns NDCG@10 [p] of pages whose gains are the probabilities of a click."""
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.array([ndcg_at(gains[rows], gains, 10) for rows, gains in zip(order, truth, strict=True)])
