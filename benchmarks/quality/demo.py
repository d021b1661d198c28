"""The demo: what each group of features, each source and each text encoder is worth, and what reading costs.

A window of its history is replayed, learned from and judged as `reelrank train` does it, again and again,
with something left out each time; and so is the window before, by a process beside.
"""

import logging
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.demo import load_into
from app.learning import EVALUATION_FROM, TRAINING_FROM, History, read_history
from app.settings import Settings
from app.wiring import build_parts
from benchmarks.quality.ablation import FULL, NO_RANKER, WITHOUT, Plan, Ranked, ablated, replay
from benchmarks.quality.datasets import Absent
from benchmarks.quality.encoder_costs import Cost, cost_of
from benchmarks.quality.encoders import Remembered, encoders, missing
from benchmarks.quality.report import Goal, Report, Row, Value
from benchmarks.quality.requests import NDCG
from index_mappings.encoder import item_text
from index_mappings.errors import NotFound
from loaders.demo import load_demo
from ranking.bootstrap import Interval, bootstrap_interval, paired_difference
from ranking.progress import Progress
from ranking.train import PARAMS

NAME = "demo"
WORTH, EARLIER = "NDCG@10 minus the full system's", "the same in the window before"
EARLIER_FROM = 2 * TRAINING_FROM - EVALUATION_FROM
"""A window as long as the next: what is chosen by the window before is not judged by itself."""
SMALL = Plan(400, 200, (PARAMS["seed"],), ("popularity",), ("bm25",))
COSTED = 300


def measure(progress: Progress, small: bool = False, house: Path | None = None) -> Report:
    """house: a data directory that `reelrank demo` made; without one the demo is loaded for this.

    Raises Absent.
    """
    with tempfile.TemporaryDirectory() as place:
        if house is None:
            house = Path(place)
            _load(house, progress)
        if small:
            return _report(_judged_window(_history(house), SMALL, progress), {}, [])
        # spawned: LightGBM, loaded here before a fork, would hang there
        with ProcessPoolExecutor(2, get_context("spawn")) as processes:
            later, earlier = processes.map(partial(_window, house, progress), (False, True))
        return _report(later, earlier.ranked, _costs(_history(house)))


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What one window gave. kinds [requests judged]; constant: features of which nothing could be learned."""

    ranked: Ranked
    kinds: NDArray[np.str_]
    constant: tuple[str, ...]
    facts: str


def _window(house: Path, progress: Progress, is_before: bool) -> Window:
    logging.getLogger("gensim").setLevel(logging.WARNING)
    others = [Remembered(encoder) for encoder in encoders()[1:]]
    history = _history(house)
    judged = window_before(history) if is_before else history
    window = _judged_window(judged, Plan(encoders=others), progress)
    if not is_before:
        for other in others:
            other.keep()
    return window


def _judged_window(history: History, plan: Plan, progress: Progress) -> Window:
    full = replay(history, plan)
    asked = f"{len(full.judged)} requests judged, {len(full.training.groups)} learned from"
    facts = f"{len(history.documents):,} films, {len(history.events):,} events; {asked}"
    return Window(ablated(history, full, plan, progress), full.kinds(), full.constant(), facts)


def window_before(history: History) -> History:
    """The history as it was when its evaluation window began, split by time in the same way."""
    times = np.sort(history.events["at_ms"].to_numpy())
    return replace(
        history,
        events=history.events.filter(pc.less(history.events["at_ms"], history.evaluation_ms)),
        training_ms=int(times[int(EARLIER_FROM * len(times))]),
        evaluation_ms=history.training_ms,
        end_ms=history.evaluation_ms,
    )


def _load(house: Path, progress: Progress) -> None:
    """Raises Absent."""
    try:
        load_into(build_parts(Settings(data_dir=house)), load_demo(round(time.time() * 1000)), progress)
    except ModuleNotFoundError as error:
        raise Absent(f"no {error.name}; pip install 'reelrank[demo]'") from error


def _history(house: Path) -> History:
    """Raises Absent."""
    try:
        return read_history(build_parts(Settings(data_dir=house)))
    except NotFound as error:
        raise Absent(f"{house}: {error}; or run: reelrank demo") from error


def _costs(history: History) -> list[Cost]:
    films = [document.item for document in history.documents[:: len(history.documents) // COSTED]]
    titles, texts = [film.title for film in films], [item_text(film) for film in films]
    return [cost_of(encoder, titles, texts) for encoder in encoders()]


def _report(window: Window, earlier: Ranked, costs: Sequence[Cost]) -> Report:
    later = window.ranked
    return Report(
        NAME,
        f"The demo: {window.facts}",
        WORTH,
        [Row(name, _values(name, later, earlier, window.kinds)) for name in later],
        [_better_than_fused(later), *nothing_hurts(later, earlier)],
        [
            f"not judged, being the same in every row that was learned from: {', '.join(window.constant)}",
            *(str(cost) for cost in costs),
            *([missing()] if missing() else []),
        ],
        {"costs": [asdict(cost) for cost in costs]},
    )


def _values(name: str, later: Ranked, earlier: Ranked, kinds: NDArray[np.str_]) -> dict[str, Value]:
    values: dict[str, Value] = {"NDCG@10": bootstrap_interval(later[name][:, NDCG])}
    if name == FULL:
        return values
    gap = later[name][:, NDCG] - later[FULL][:, NDCG]
    values[WORTH] = bootstrap_interval(gap)
    values |= {f"{kind} pages": bootstrap_interval(gap[kinds == kind]) for kind in ("home", "search")}
    return values | ({EARLIER: _gap(earlier, name)} if earlier else {})


def _gap(ranked: Ranked, name: str, beside: str = FULL) -> Interval:
    return paired_difference(ranked[name][:, NDCG], ranked[beside][:, NDCG])


def _better_than_fused(later: Ranked) -> Goal:
    """A model that does not rank above the order its candidates come in is not worth its milliseconds."""
    low = _gap(later, FULL, NO_RANKER).low
    return Goal("lower end of the interval by which the full system is above the fused order", low, 0)


def nothing_hurts(later: Ranked, earlier: Ranked) -> list[Goal]:
    """What ranks better when it is left out, beyond the intervals of both windows, should not be in the
    product. One interval alone misses 0 once in twenty by chance, and there are more rows than that."""
    certain = {
        name: min(_gap(later, name).low, _gap(earlier, name).low)
        for name in earlier
        if name.startswith(WITHOUT)
    }
    if not certain:
        return []
    worst = max(certain, key=certain.__getitem__)
    return [
        Goal(f"certain gain in both windows by leaving anything out ({worst}), negated", -certain[worst], 0)
    ]
