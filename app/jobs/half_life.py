"""The half-life of popularity: chosen on the window before the evaluation, and recorded in the release."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.wiring import Container, list_stated
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.evaluation.half_life import HalfLifeChoice, PastPage, choose_half_life
from reelrank.ranking.evaluation.plots import write_half_life_plot
from reelrank.ranking.policies.config import POPULAR_HALF_LIFE
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.backtest import replay_popularity
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
    version = container.engine.serving_version()
    if version is None:
        raise NotFound(
            "no index version serves; load items first: reelrank load items FILE", code="no_items_loaded"
        )
    table = ItemTableStore(container.settings.tables_dir, container.engine).open_or_rebuild(version)
    pages = replay_popularity(events, table, window, BacktestOptions(requests=REQUESTS))
    choice = choose_half_life(_count_pages(pages, progress), table)
    if POPULAR_HALF_LIFE in list_stated(container):
        choice = replace(choice, days=container.config.popular_half_life_days)
    config = replace(container.config, popular_half_life_days=choice.days)
    return ChosenSettings(replace(container, config=config), choice)


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
