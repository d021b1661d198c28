"""Searches for known titles of a trained catalogue: by kind, by how often a film was watched, by hour."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np

from reelrank.app.jobs.known_items import BASELINE, build_systems
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.evaluation.known_items import (
    KnownItemResult,
    Search,
    generate_queries,
    generate_queries_by_watches,
    measure_known_items,
)
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.searches import simulate_search

HOURS_LATER = (6, 12, 18, 63)
"""Other times of the same day, and another day of the week."""
FIRST = 3


@dataclass(frozen=True, slots=True)
class SameAtAnyHour:
    """Searches whose first three results were the same at every hour, of all searches."""

    queries: int
    same: int

    @property
    def share(self) -> float:
        return self.same / max(self.queries, 1)


def measure_titles(
    container: Container,
    per_kind: int,
    progress: Progress,
    kinds: Sequence[str] = (),
    systems: Sequence[str] = (),
) -> list[KnownItemResult]:
    """Measures queries with several systems; seed 0. kinds, systems: all of them by default."""
    items, watches = _read_items(container), _count_watches(container)
    queries = generate_queries(items, per_kind) + generate_queries_by_watches(items, watches, per_kind)
    queries = [query for query in queries if not kinds or query.kind in kinds]
    searches = {
        name: search for name, search in build_systems(container).items() if not systems or name in systems
    }
    counter, total = count(1), len(queries) * len(searches)

    def report_each(search: Search) -> Search:
        def search_and_report(text: str) -> Sequence[str]:
            progress("searching known titles", next(counter), total)
            return search(text)

        return search_and_report

    return measure_known_items(
        queries, {name: report_each(search) for name, search in searches.items()}, BASELINE
    )


def measure_hours(container: Container, queries: int, progress: Progress) -> SameAtAnyHour:
    """Asks the same searches of the busiest viewers at several hours, as served; seed 0."""
    rng, service = np.random.default_rng(0), warm_service(container)
    items = _read_items(container)
    users = [user for user, _ in _count_users(container).most_common(50)]
    start, unchanged = datetime.now(UTC).replace(hour=3), 0
    for number in range(queries):
        text = simulate_search(items[int(rng.integers(len(items)))].title, rng)
        user = users[number % len(users)]
        firsts = set()
        for hours in (0, *HOURS_LATER):
            query = Query(text=text, user=user, context=Context(start + timedelta(hours=hours)))
            ranked = service.rank_query(RankingOptions(query), StageTimings())
            firsts.add(tuple(ranked.candidates.ids[:FIRST].tolist()))
        unchanged += len(firsts) == 1
        progress("asking at other hours", number + 1, queries)
    return SameAtAnyHour(queries, unchanged)


def _read_items(container: Container) -> list[Item]:
    version = container.engine.serving_version() or ""
    items = [document.item for batch in container.engine.scan(version) for document in batch]
    return sorted(items, key=lambda item: item.id)


def _count_watches(container: Container) -> Counter[str]:
    batches = container.events.scan(0, MAX_TIME_MS, ("watch",), ("item",))
    return Counter(item for batch in batches for item in batch.column("item").to_pylist())


def _count_users(container: Container) -> Counter[str]:
    batches = container.events.scan(0, MAX_TIME_MS, ("watch",), ("user",))
    return Counter(user for batch in batches for user in batch.column("user").to_pylist())
