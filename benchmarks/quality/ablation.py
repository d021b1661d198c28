"""What is left out, and how well the rest ranks: features by training again without their columns,
sources by replaying history without them, the text encoder by reading every text again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.learning import EVALUATION_REQUESTS, TRAINING_REQUESTS, History, judged_requests, training_set
from benchmarks.quality.encoders import text_field_of
from benchmarks.quality.requests import NDCG, Measured, engine_order, model_order
from index_mappings.encoder import TextEncoder
from loaders.catalogue import encoded
from ranking.features.compute import FEATURE_NAMES, FEATURES
from ranking.judged import Judged
from ranking.progress import Progress, silent
from ranking.ranker import LambdaRank
from ranking.source_names import SOURCES
from ranking.train import PARAMS, train_ranker
from ranking.training_set import TrainingSet

FULL, NO_RANKER = "the full system", "the fused order, no ranker"
ONE_THREAD = {"num_threads": 1}
WITHOUT = "without"
READ_TEXT = (
    "cosine_query", "cosine_taste", "cosine_past_queries", "last_text", "nearest_text",
    "reciprocal_rank_text_knn", "reciprocal_rank_recent",
)  # fmt: skip
TEXT_SOURCES = ("text_knn", "recent")
GROUPS = tuple(dict.fromkeys(feature.group for feature in FEATURES))
Ranked = dict[str, Measured]
"""NDCG, precision and recall at 10 of the same requests, by what was left out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """training, judged: how many requests. seeds: of LightGBM's draws of rows and columns, the product's
    first; each system is judged by the mean of a training with each, for what a single one differs by from
    another is as large as many an effect. encoders: those that read in place of the product's; with any, also
    none at all.
    """

    training: int = TRAINING_REQUESTS
    judged: int = EVALUATION_REQUESTS
    seeds: Sequence[int] = (PARAMS["seed"], 17, 18)
    groups: Sequence[str] = GROUPS
    sources: Sequence[str] = SOURCES
    encoders: Sequence[TextEncoder] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """A window of history with the candidates of one way of finding them: to learn from, and to judge."""

    training: TrainingSet
    judged: Sequence[Judged]
    names: tuple[str, ...] = FEATURE_NAMES

    def without(self, left_out: Sequence[str]) -> "Replayed":
        """The same requests and candidates; a ranker that never sees these features."""
        kept = [place for place, name in enumerate(self.names) if name not in left_out]
        judged = [replace(each, features=each.features[:, kept]) for each in self.judged]
        training = replace(self.training, features=self.training.features[:, kept])
        return Replayed(training, judged, tuple(self.names[place] for place in kept))

    def constant(self) -> tuple[str, ...]:
        """Features that tell no two rows apart, so that nothing can be learned of them."""
        columns = zip(self.names, self.training.features.T, strict=True)
        return tuple(name for name, column in columns if len(np.unique(column)) < 2)

    def ranked(self, seeds: Sequence[int]) -> Measured:
        """By the product's rankers but for their seeds: the mean of their measures, by request."""
        measured: Measured = np.mean([self._ranked(seed) for seed in seeds], axis=0)
        return measured

    def _ranked(self, seed: int) -> Measured:
        text = train_ranker(self.training, self.names, params={**ONE_THREAD, "seed": seed}).model_text
        return model_order(self.judged, LambdaRank("ablation", self.names, text))

    def kinds(self) -> NDArray[np.str_]:
        return np.array([each.kind for each in self.judged])


def replay(history: History, plan: Plan) -> Replayed:
    training = training_set(history, silent, plan.training)
    return Replayed(training, judged_requests(history, silent, plan.judged))


def ablated(history: History, full: Replayed, plan: Plan, progress: Progress) -> Ranked:
    """full: `history` replayed with nothing left out."""
    alone = {f"{FULL}, seed {seed} alone": full.ranked([seed]) for seed in plan.seeds}
    whole: Measured = np.mean(list(alone.values()), axis=0)
    ranked = {FULL: whole, NO_RANKER: engine_order(full.judged), **(alone if len(alone) > 1 else {})}
    systems = _systems(history, full, plan)
    for done, (name, system) in enumerate(systems.items()):
        ranked[name] = system()
        gap = float((ranked[name] - ranked[FULL])[:, NDCG].mean())
        progress(f"{name}: NDCG@10 {gap:+.4f} beside the full system", done + 1, len(systems))
    return ranked


def _systems(history: History, full: Replayed, plan: Plan) -> dict[str, Callable[[], Measured]]:
    def features(left_out: Sequence[str]) -> Callable[[], Measured]:
        return lambda: full.without(left_out).ranked(plan.seeds)

    def source(left_out: str) -> Callable[[], Measured]:
        return lambda: replay(_without_sources(history, [left_out]), plan).ranked(plan.seeds)

    def reading(encoder: TextEncoder) -> Callable[[], Measured]:
        return lambda: _read_by(history, encoder, plan)

    unknown = full.constant()
    groups = {name: [f.name for f in FEATURES if f.group == name] for name in plan.groups}
    systems = {
        f"{WITHOUT} features: {group}": features(names)
        for group, names in groups.items()
        if not set(names) <= set(unknown)
    }
    systems |= {f"{WITHOUT} source: {each}": source(each) for each in plan.sources}
    if plan.encoders:
        systems[f"{WITHOUT} a text encoder"] = lambda: _read_by_nobody(history, plan)
    return systems | {f"text encoder: {each.name}": reading(each) for each in plan.encoders}


def _read_by_nobody(history: History, plan: Plan) -> Measured:
    return replay(_without_sources(history, TEXT_SOURCES), plan).without(READ_TEXT).ranked(plan.seeds)


def _without_sources(history: History, sources: Sequence[str]) -> History:
    caps = replace(history.parts.caps, **dict.fromkeys(sources, 0))
    return replace(history, parts=replace(history.parts, caps=caps))


def _read_by(history: History, encoder: TextEncoder, plan: Plan) -> Measured:
    with _reading(history, encoder) as read:
        return replay(read, plan).ranked(plan.seeds)


@contextmanager
def _reading(history: History, encoder: TextEncoder) -> Iterator[History]:
    """The same history with every film and every query read by another encoder, for the block."""
    items = [document.item for document in history.documents]
    documents = [document for batch in encoded(items, encoder) for document in batch]
    with text_field_of(encoder):
        yield replace(history, documents=documents, parts=replace(history.parts, encoder=encoder))
