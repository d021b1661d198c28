"""A recommender that trains again at an interval: the embeddings and the ranker of the project, in process.

It ranks all films by five features. What viewers watched and how popular films are is always of now, as in
the service; embeddings and trees are of the last training. A film that came out since has no embedding.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.behaviour import Matrix
from reelrank.app.simulation.films import Film, Films, create_generator
from reelrank.app.simulation.recommenders import Feedback, Pages
from reelrank.app.simulation.viewers import Viewers, Visits
from reelrank.index_mappings.event import DAY_MS, HOUR_MS
from reelrank.ranking.embeddings.matrix_factorization import learn_factors
from reelrank.ranking.embeddings.watches import Watches
from reelrank.ranking.items.fold_in import FoldIn, fold_in
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import train_ranker

FEATURES = ("affinity", "popular_day", "popular_hours", "age_days", "hour")
WINDOW_MS = 3 * DAY_MS
"""Pages that the ranker learns from. Embeddings learn from all watches."""
RECENT = 30
"""Watches of a viewer that are folded in, the newest."""
HALF_LIVES_MS = (DAY_MS, 4 * HOUR_MS)
PARAMS = {"num_threads": 1, "num_leaves": 7, "learning_rate": 0.2}
MIN_PAGES = 30
NEVER_MS = 1000 * DAY_MS


class RetrainedRecommender:
    """Trains every `interval_ms`, from the second day on; None: once. trainings: how often it did."""

    def __init__(self, films: Films, viewers: Viewers, seed: int, interval_ms: int | None) -> None:
        self._films, self._viewers = films, viewers
        self._interval_ms = interval_ms
        self._rng = create_generator(seed, "retrained")
        self._due_ms: int | None = None
        self._popular = np.zeros((2, len(films)))
        self._counted_ms = 0
        self._watches: list[tuple[int, int, int, float]] = []
        self._history: dict[int, list[tuple[int, float]]] = {}
        self._pages: list[tuple[int, NDArray[np.float32], NDArray[np.int32]]] = []
        self._last_features: NDArray[np.float32] = np.zeros((0, 0, len(FEATURES)), np.float32)
        self._vectors: NDArray[np.float32] | None = None
        self._fold_in: FoldIn | None = None
        self._ranker: LambdaRank | None = None
        self.trainings = 0

    def recommend(self, visits: Visits, size: int) -> Pages:
        features = self._compute_features(visits)
        flat = features.reshape(-1, len(FEATURES))
        ranked = flat[:, 1] if self._ranker is None else self._ranker.score(flat)
        scores = ranked.reshape(features.shape[:2]) + 1e-6 * self._rng.random(features.shape[:2])
        for row, viewer in enumerate(visits.rows.tolist()):
            scores[row, [film for film, _ in self._history.get(viewer, ())]] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :size]
        explored = self._rng.integers(0, size, len(order))  # a random film, so that new ones are seen
        order[np.arange(len(order)), explored] = self._rng.integers(0, len(self._films), len(order))
        self._last_features = np.take_along_axis(features, order[:, :, None], axis=1)
        return Pages(order, [f"page-{n}" for n in range(len(order))])

    def observe(self, feedback: Feedback) -> None:
        rows, reactions = feedback.pages.rows, feedback.reactions
        for page, (viewer, at_ms) in enumerate(
            zip(feedback.visits.rows.tolist(), feedback.visits.at_ms.tolist(), strict=True)
        ):
            seen, clicked = reactions.is_viewed[page], np.flatnonzero(reactions.is_clicked[page])
            grades = np.where(reactions.is_clicked[page], 1 + np.round(2 * reactions.shares[page]), 0)
            self._pages.append((at_ms, self._last_features[page][seen], grades[seen].astype(np.int32)))
            for position in clicked.tolist():
                film, share = int(rows[page, position]), float(reactions.shares[page, position])
                self._watches.append((viewer, film, at_ms, share))
                self._history.setdefault(viewer, []).append((film, share))
                self._popular[:, film] += 1

    def publish(self, films: Sequence[Film], at_ms: int) -> None:
        self._films.add(films)
        new = len(self._films) - self._popular.shape[1]
        self._popular = np.pad(self._popular, ((0, 0), (0, new)))

    def advance(self, now_ms: int) -> None:
        elapsed_ms = now_ms - self._counted_ms if self._counted_ms else 0
        self._popular *= 0.5 ** (elapsed_ms / np.array(HALF_LIVES_MS))[:, None]
        self._counted_ms = now_ms
        if self._due_ms is None:
            self._due_ms = now_ms + DAY_MS
        if now_ms >= self._due_ms:
            is_trained = self._train(now_ms)
            wait_ms = self._interval_ms or (NEVER_MS if is_trained else HOUR_MS)
            self._due_ms = now_ms + (wait_ms if is_trained else min(wait_ms, HOUR_MS))

    def _compute_features(self, visits: Visits) -> NDArray[np.float32]:
        """Returns features [b, films, F] as of now."""
        shape = (len(visits), len(self._films))
        age = np.maximum(visits.at_ms[:, None] - self._films.published_ms[None, :], 0) / DAY_MS
        hour = np.broadcast_to((visits.at_ms % DAY_MS / HOUR_MS)[:, None], shape)
        popular = [np.broadcast_to(np.log1p(counts), shape) for counts in self._popular]
        columns = (self._compute_affinity(visits), *popular, np.minimum(age, 365), hour)
        return np.stack(columns, axis=2).astype(np.float32)

    def _compute_affinity(self, visits: Visits) -> Matrix:
        """Returns the cosine [b, films] of viewers as of now and films as of the last training."""
        affinity = np.full((len(visits), len(self._films)), np.nan)
        if self._vectors is None or self._fold_in is None:
            return affinity
        known = np.isfinite(self._vectors[:, 0])
        for row, viewer in enumerate(visits.rows.tolist()):
            watched = [(film, share) for film, share in self._history.get(viewer, ()) if film < len(known)]
            recent = [(film, share) for film, share in watched if known[film]][-RECENT:]
            if recent:
                films, shares = zip(*recent, strict=True)
                viewer_vector = fold_in(
                    self._fold_in, self._vectors[list(films)], np.array(shares, np.float32)
                )
                affinity[row, : len(known)] = self._vectors @ viewer_vector
        return affinity

    def _train(self, now_ms: int) -> bool:
        """Learns embeddings from all watches, and the order from the pages of the window.

        Returns whether there was enough.
        """
        pages = [page for page in self._pages if page[0] >= now_ms - WINDOW_MS and page[2].any()]
        if len(pages) < MIN_PAGES:
            return False
        users, items, at_ms, shares = (np.array(column) for column in zip(*self._watches, strict=True))
        viewers, user_rows = np.unique(users, return_inverse=True)
        films, item_rows = np.unique(items, return_inverse=True)
        watches = Watches(
            viewers.astype(np.str_), films.astype("S8"), user_rows.astype(np.int32),
            item_rows.astype(np.int32), at_ms, shares.astype(np.float32),
        )  # fmt: skip
        learned, self._fold_in = learn_factors(watches)
        self._vectors = np.full((len(self._films), learned.shape[1]), np.nan, np.float32)
        self._vectors[films] = learned
        self._ranker = train_order(pages)
        self.trainings += 1
        return True


def train_order(pages: Sequence[tuple[int, NDArray[np.float32], NDArray[np.int32]]]) -> LambdaRank:
    """Trains the order of films from what was seen on pages."""
    rows = TrainingSet(
        np.concatenate([features for _, features, _ in pages]),
        np.concatenate([gains for _, _, gains in pages]),
        np.array([len(gains) for _, _, gains in pages], np.int32),
    )
    return LambdaRank("retrained", FEATURES, train_ranker(rows, FEATURES, params=PARAMS).model_text)
