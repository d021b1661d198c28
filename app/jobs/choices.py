"""What a training run chooses on pages before the evaluation: the half-life of popularity, which the release
records, and how pages of viewers without a past are ordered, which the manifest of the model records."""

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from reelrank.app.jobs.history import History
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.wiring import Container, list_stated
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.evaluation.half_life import HalfLifeChoice, PastPage, choose_half_life
from reelrank.ranking.evaluation.judged_request import HOME
from reelrank.ranking.evaluation.order_measures import decide_cold_start
from reelrank.ranking.evaluation.plots import write_half_life_plot
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.policies.config import POPULAR_HALF_LIFE
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.rankers.manifest import ColdStart
from reelrank.ranking.retrieval.exact_matcher import ExactMatcher
from reelrank.ranking.training.backtest import BacktestIndex, backtest, replay_popularity
from reelrank.ranking.training.past_requests import BacktestOptions

REQUESTS = 1000
"""Pages that the half-lives are compared on: each costs about 5 ms with 20,000 items."""


@dataclass(frozen=True, slots=True)
class ChosenSettings:
    """A container whose ranking settings are those that were chosen, and how they were."""

    container: Container
    half_life: HalfLifeChoice


def choose_settings(
    container: Container, events: pa.Table, window: tuple[int, int], progress: Progress
) -> ChosenSettings:
    """Chooses the half-life of the `popular` source on the pages of a window; one that is set stays."""
    table = _open_table(container)
    pages = replay_popularity(events, table, window, BacktestOptions(requests=REQUESTS))
    choice = choose_half_life(_count_pages(pages, progress), table)
    if POPULAR_HALF_LIFE in list_stated(container):
        choice = replace(choice, days=container.config.popular_half_life_days)
    config = replace(container.config, popular_half_life_days=choice.days)
    return ChosenSettings(replace(container, config=config), choice)


def choose_cold_start_order(
    history: History, ranker: LambdaRank, window: tuple[int, int] | None, progress: Progress
) -> ColdStart:
    """Compares a model with popularity on the home pages of viewers without a past, in a window [from, to) of
    time that it was not fitted on; None: there is no such window.

    These pages have popular and new items alone, and no features of embeddings, so the table that serves
    will do.
    """
    if window is None:
        return ColdStart()
    proven, parts = copy(ranker), history.container
    proven.ranks_cold_start = True
    table = _open_table(parts)
    matcher = ExactMatcher(table, {}, parts.engine)
    index = BacktestIndex(table, matcher, parts.encoder, proven, parts.synonyms)
    options = BacktestOptions(requests=REQUESTS, most_history=0, config=parts.config)
    pages = backtest(history.events, index, window, options, progress)
    return decide_cold_start([p for p in pages if p.kind == HOME and not p.request.viewer.has_past])


def _open_table(container: Container) -> ItemTable:
    """Opens the item table that serves. Raises NotFound without one."""
    version = container.engine.serving_version()
    if version is None:
        raise NotFound(
            "no index version serves; load items first: reelrank load items FILE", code="no_items_loaded"
        )
    return ItemTableStore(container.settings.tables_dir, container.engine).open_or_rebuild(version)


def _count_pages(pages: Iterable[PastPage], progress: Progress) -> Iterator[PastPage]:
    done, step = 0, "choosing the half-life of popularity"
    progress(step, 0, REQUESTS)
    for done, page in enumerate(pages, 1):
        yield page
        progress(step, done, REQUESTS)
    progress(step, done, done)


def write_half_life_report(directory: Path, choice: HalfLifeChoice) -> None:
    """Plots the curve that the half-life was chosen by, if there is one."""
    if choice.curve:
        write_half_life_plot(choice, directory / "popularity")
