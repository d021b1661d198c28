"""Known-item search on the serving catalogue: as served, without a model and degraded, beside BM25."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.evaluation.known_items import (
    DEPTH,
    KnownItemResult,
    Search,
    generate_queries,
    measure_known_items,
)
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.lambdarank import FusedOrder

BASELINE, SERVED, WITHOUT_MODEL, DEGRADED = "bm25", "served", "without a model", "degraded"
STEP = "searching known items"
TIMEOUT_S = 10.0
"""A query of the measurement waits for every source, where a page would skip the slow ones."""


def evaluate_known_items(
    container: Container, per_kind: int, seed: int, progress: Progress
) -> list[KnownItemResult]:
    """Searches for titles of the serving catalogue in each way of typing. Raises NotFound without items."""
    version = container.engine.serving_version()
    items = (
        [document.item for batch in container.engine.scan(version) for document in batch] if version else []
    )
    if not items:
        raise NotFound(
            "no items are loaded, so no title can be searched; run: reelrank load items FILE",
            code="no_items_loaded",
        )
    queries = generate_queries(items, per_kind, seed)
    systems = build_systems(container)
    total = len(queries) * len(systems)
    counter = count(1)

    def report_each(search: Search) -> Search:
        def search_and_report(text: str) -> list[str]:
            found = list(search(text))
            progress(STEP, next(counter), total)
            return found

        return search_and_report

    return measure_known_items(queries, {name: report_each(s) for name, s in systems.items()}, BASELINE, seed)


def build_systems(container: Container) -> Mapping[str, Search]:
    """Returns the searches that are compared.

    DEGRADED has neither text vectors nor a model, as a page has when both are late.
    """
    limits = replace(container.config.limits, text_knn=0)
    degraded = replace(container, config=replace(container.config, limits=limits))
    service = warm_service(container)
    return {
        BASELINE: _search_text(service),
        SERVED: _search_as_served(service, None),
        WITHOUT_MODEL: _search_as_served(service, FusedOrder.name),
        DEGRADED: _search_as_served(warm_service(degraded), FusedOrder.name),
    }


def _search_text(service: SearchService) -> Search:
    def search(text: str) -> list[str]:
        matches = service.refresher.state.matcher.match_text(TextMatch(BASELINE, text, DEPTH), TIMEOUT_S)
        return [item_id.decode() for item_id in matches.ids.tolist()]

    return search


def _search_as_served(service: SearchService, model: str | None) -> Search:
    def search(text: str) -> list[str]:
        query = Query(text=text, limit=DEPTH, context=Context(SYSTEM_CLOCK.now()))
        ranked = service.rank_query(RankingOptions(query, model=model), StageTimings())
        return [item_id.decode() for item_id in ranked.candidates.ids[:DEPTH].tolist()]

    return search
