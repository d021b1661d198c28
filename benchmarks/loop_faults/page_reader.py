"""A service in a process of its own that answers pages without pause, and looks at each of them."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.loop_faults.made_up_project import VIEWERS, open_project
from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.search.trial.warm_up import warm_up
from reelrank.app.wiring import Container, build_service
from reelrank.index_mappings.errors import EngineError
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.registry.decisions import FileHistory

REFRESH_S, STARTUP_WAIT_S, PAUSE_S = 0.05, 60.0, 0.02


@dataclass(slots=True)
class PageCounts:
    """Pages that were answered. incomplete: degraded or empty ones. mixed: with a model and an index version
    that are in no release together. pairs: (index version, model) of those that are."""

    answered: int = 0
    failed: int = 0
    incomplete: int = 0
    mixed: int = 0
    pairs: set[tuple[str, str]] = field(default_factory=set)
    first_problem: str = ""


def read_pages(data_dir: Path, pipe: Connection) -> PageCounts:
    """Sends "ready" after the first page, serves until something arrives, and returns the counts."""
    container = open_project(data_dir)
    service = build_service(container)
    service.refresher.poll(REFRESH_S, partial(warm_up, service), STARTUP_WAIT_S)
    counts, seen, number = PageCounts(), dict[tuple[str, str], int](), 0
    _answer(service, number, counts, seen)
    pipe.send("ready")
    while not pipe.poll(PAUSE_S):
        number += 1
        _answer(service, number, counts, seen)
    pipe.recv()
    service.refresher.stop()
    known = list_pairs(container)
    counts.pairs = seen.keys() & known
    counts.mixed = sum(count for pair, count in seen.items() if pair not in known)
    return counts


def list_pairs(container: Container) -> set[tuple[str, str]]:
    """Returns (index version, model) of every release that was ever built, dropped ones too."""
    built = (one.inputs for one in FileHistory(container.settings.loop_dir).read() if one.step == "build")
    pairs = {(inputs["index"], inputs["model"]) for inputs in built}
    with suppress(EngineError):
        pairs |= {(release.index_version, release.model) for release in container.releases.list_releases()}
    return pairs


def _answer(
    service: SearchService, number: int, counts: PageCounts, seen: dict[tuple[str, str], int]
) -> None:
    query = Query(user=f"viewer-{number % VIEWERS}", limit=10, context=Context(datetime.now(UTC)))
    try:
        page = service.serve_page(RankingOptions(query))
    except Exception as error:
        counts.failed += 1
        counts.first_problem = counts.first_problem or repr(error)
        return
    counts.answered += 1
    if page.degraded or not page.hits:
        counts.incomplete += 1
        counts.first_problem = counts.first_problem or _describe(page)
    pair = (page.version, page.model)
    seen[pair] = seen.get(pair, 0) + 1


def _describe(page: Page) -> str:
    missing = ", ".join(str(one) for one in page.degraded)
    return f"{len(page.hits)} hits of {page.version} by {page.model}; {missing}"
