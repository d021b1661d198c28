"""Lists in a stated order: total, stable, and never with an item that the request rules out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import numpy as np
import pytest

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.settings import Settings
from reelrank.app.web.answers import serialize_page
from reelrank.app.wiring import build_container, warm_service
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.query import Context, Filters, Query, Sort
from reelrank.loaders.events.history import load_history
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
WORDS = ("river", "stone", "lantern", "harbour")
SORTS: tuple[Sort, ...] = get_args(Sort)
STATED_SORTS = SORTS[1:]
SEEDS = range(12)


def draw_items(rng: np.random.Generator) -> list[Item]:
    """Titles of one to three words; dates, genres and people are often missing or equal."""
    return [
        Item(
            f"i{n:02d}",
            " ".join(rng.choice(WORDS, rng.integers(1, 4)).tolist()).title(),
            genres=("Drama",) if n % 2 else ("Comedy",),
            people=("Ada Lovelace",) if n % 3 else (),
            published_at=datetime(1990 + n % 7, 1, 1, tzinfo=UTC) if n % 5 else None,
            duration_s=6000,
        )
        for n in range(40)
    ]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchService]:
    parts = build_container(
        Settings.model_validate({"data_dir": tmp_path_factory.mktemp("data"), "deadline_ms": 5000})
    )
    rng = np.random.default_rng(3)
    load_catalogue(draw_items(rng), parts.engine, parts.encoder, LoadOptions(created_at=NOW))
    load_history(
        [
            Event(f"e{n}", "watch", f"u{n % 9}", NOW_MS - 1000 * n, f"i{int(rng.integers(0, 20)):02d}", 9, 10)
            for n in range(60)
        ],
        parts.events,
    )
    yield warm_service(parts)


def draw_query(rng: np.random.Generator, sort: Sort) -> Query:
    kind = rng.integers(0, 3)
    filters = Filters(
        genres=("drama",) if rng.random() < 0.4 else (),
        people=("ADA LOVELACE",) if rng.random() < 0.4 else (),
        year_min=1993 if rng.random() < 0.3 else None,
    )
    return Query(
        text=" ".join(rng.choice(WORDS, 2).tolist()) if kind == 0 else None,
        similar_to="i03" if kind == 1 else None,
        user="u1" if rng.random() < 0.5 else None,
        filters=filters, limit=100, context=Context(NOW), sort=sort,
        exclude=tuple(f"i{n:02d}" for n in rng.integers(0, 40, 5).tolist()) if rng.random() < 0.6 else (),
    )  # fmt: skip


def list_items(service: SearchService, query: Query) -> list[Item]:
    return [hit.item for hit in service.serve_page(RankingOptions(query)).hits]


def compute_key(service: SearchService, sort: Sort, item: Item) -> tuple[object, ...]:
    if sort == "newest":
        date = item.published_at or NOW - timedelta(days=10**5)
        return (item.published_at is None, -date.timestamp(), item.id)
    if sort == "title":
        return (item.title.replace(" ", "").lower(), item.id)
    state = service.refresher.state
    row = state.table.find_rows(np.array([item.id.encode()], "S64"))
    return (-float(state.activity.popularity.count_watches(row)[0]), item.id)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sort", STATED_SORTS)
def test_a_stated_order_is_total_and_the_same_for_every_viewer(
    service: SearchService, sort: Sort, seed: int
) -> None:
    query = draw_query(np.random.default_rng(seed), sort)
    items = list_items(service, query)
    assert items == sorted(items, key=lambda item: compute_key(service, sort, item))
    assert len({item.id for item in items}) == len(items)
    if query.text:
        assert list_items(service, replace(query, user="another")) == items


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sort", SORTS)
def test_no_list_has_an_item_that_the_request_rules_out(
    service: SearchService, sort: Sort, seed: int
) -> None:
    query = draw_query(np.random.default_rng(seed), sort)
    for item in list_items(service, query):
        assert item.id not in query.exclude
        assert not query.filters.genres or item.genres == ("Drama",)
        assert not query.filters.people or item.people == ("Ada Lovelace",)
        assert query.filters.year_min is None or (item.year or 0) >= query.filters.year_min


@pytest.mark.parametrize("sort", STATED_SORTS)
def test_a_sorted_search_lists_exactly_what_has_every_word(service: SearchService, sort: Sort) -> None:
    found = list_items(service, Query(text="stone river", limit=100, context=Context(NOW), sort=sort))
    everything = list_items(service, Query(limit=100, context=Context(NOW), sort="title"))
    whole = {item.id for item in everything if {"Stone", "River"} <= set(item.title.split())}
    assert {item.id for item in found} == whole
    assert 2 < len(whole) < 40


@pytest.mark.parametrize("sort", ["newest", "title"])
def test_a_sorted_home_page_lists_the_whole_catalogue(service: SearchService, sort: Sort) -> None:
    items = list_items(service, Query(limit=100, context=Context(NOW), sort=sort))
    assert len(items) == (40 if sort == "title" else 32)  # eight have no date


@pytest.mark.parametrize("sort", SORTS)
def test_the_pages_of_a_cursor_are_the_whole_list(service: SearchService, sort: Sort) -> None:
    query = Query(text="river", limit=100, context=Context(NOW), sort=sort, fields=("title", "year"))
    whole = list_items(service, query)
    page = service.serve_page(RankingOptions(replace(query, limit=3)))
    hits = list(page.hits)
    while page.cursor:
        page = service.serve_next_page(page.cursor, 3)
        hits += page.hits
        assert page.fields == ("title", "year")
    assert [hit.item for hit in hits] == whole


def test_an_answer_has_the_requested_fields_only(service: SearchService) -> None:
    query = Query(text="river", limit=5, context=Context(NOW), fields=("title", "genres"))
    page = service.serve_page(RankingOptions(query))
    (first, *_) = serialize_page(page, "/v1/search", {"limit": 5})["hits"]
    assert set(first) == {"id", "title", "genres", "position", "score", "sources", "match"}


def test_an_excluded_item_is_replaced_by_the_next(service: SearchService) -> None:
    query = Query(text="river", limit=5, context=Context(NOW), sort="newest")
    first, second, *_ = list_items(service, query)
    assert list_items(service, replace(query, exclude=(first.id,)))[0] == second
