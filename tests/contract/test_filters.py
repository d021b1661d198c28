"""Filters of every engine and of the item table against the plain rule, on random items and filters."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.index_mappings.engine import NeighbourMatch, SearchEngine, TextMatch, VectorMatch
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Filters
from reelrank.ranking.items.table import build_table
from tests.contract.films import SOON, build_unit_vector, list_ids, load

ITEMS, FILTERS = 120, 60
GENRES = ("Drama", "Sci-Fi", "Film-Noir", "drama")
LANGUAGES = ("English", "Français", "日本語", "English, Old")
COUNTRIES = ("USA", "Korea, Republic of", "France")
PEOPLE = (
    "Penélope Cruz",
    "PENELOPE CRUZ",
    "Cruz",
    "J. J. Abrams",
    "Müller  Hans",
    "Renée O'Connor",
    "李連杰",
)
TAGS = ("love", "love story", "C++", "C", "Café", "rated pg-13")


def choose(rng: np.random.Generator, names: Sequence[str], most: int) -> tuple[str, ...]:
    count = int(rng.integers(0, most + 1))
    return tuple(names[n] for n in rng.permutation(len(names))[:count].tolist())


def draw_documents(rng: np.random.Generator) -> list[Document]:
    return [
        Document(
            Item(
                f"item{n:03d}", "common title", genres=choose(rng, GENRES, 2), people=choose(rng, PEOPLE, 3),
                tags=choose(rng, TAGS, 3), languages=choose(rng, LANGUAGES, 3),
                countries=choose(rng, COUNTRIES, 2),
                published_at=datetime(int(rng.integers(1995, 2005)), 6, 1, tzinfo=UTC) if n % 5 else None,
                duration_s=int(rng.integers(0, 9000)) if n % 7 else None,
            ),
            {"factors": build_unit_vector(n % 64)},
            (Neighbour("seed", 1.0),),
        )
        for n in range(ITEMS)
    ]  # fmt: skip


def draw_filters(rng: np.random.Generator) -> Filters:
    """Draws conditions; each second one is absent, and names are written in another case."""

    def some(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name.upper() for name in choose(rng, names, 2)) if rng.random() < 0.4 else ()

    low, high = sorted(rng.integers(1995, 2005, 2).tolist())
    return Filters(
        some(GENRES), some(LANGUAGES), some(COUNTRIES),
        low if rng.random() < 0.3 else None, high if rng.random() < 0.3 else None,
        1000 if rng.random() < 0.2 else None, 8000 if rng.random() < 0.2 else None,
        some(PEOPLE), some(TAGS),
    )  # fmt: skip


def fold(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())


def shares_any(wanted: Sequence[str], names: Sequence[str], is_folded: bool) -> bool:
    form = fold if is_folded else str.casefold
    return not wanted or bool({form(name) for name in wanted} & {form(name) for name in names})


def is_within(low: int | None, value: int | None, high: int | None) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or low <= value) and (high is None or value <= high)


def passes(item: Item, filters: Filters) -> bool:
    return (
        shares_any(filters.genres, item.genres, is_folded=False)
        and shares_any(filters.languages, item.languages, is_folded=False)
        and shares_any(filters.countries, item.countries, is_folded=False)
        and shares_any(filters.people, item.people, is_folded=True)
        and shares_any(filters.tags, item.tags, is_folded=True)
        and is_within(filters.year_min, item.year, filters.year_max)
        and is_within(filters.duration_min_s, item.duration_s, filters.duration_max_s)
    )


@pytest.fixture
def documents() -> list[Document]:
    return draw_documents(np.random.default_rng(13))


def test_every_kind_of_match_finds_exactly_what_passes(
    engine: SearchEngine, documents: list[Document]
) -> None:
    load(engine, "items-1", documents)
    rng, counts = np.random.default_rng(14), list[int]()
    for filters in [draw_filters(rng) for _ in range(FILTERS)]:
        expected = sorted(d.item.id for d in documents if passes(d.item, filters))
        by_text = engine.match_text(TextMatch("bm25", "common", ITEMS, filters), SOON)
        assert sorted(list_ids(by_text)) == expected, filters
        seeds = (Neighbour("seed", 1.0),)
        by_seed = engine.match_ids(NeighbourMatch("neighbours", seeds, ITEMS, filters), SOON)
        assert sorted(list_ids(by_seed)) == expected, filters
        request = VectorMatch("factors", "factors", build_unit_vector(3), ITEMS, filters)
        assert sorted(list_ids(engine.match_vector(request, SOON))) == expected, filters
        counts.append(len(expected))
    assert min(counts) < 5 < max(counts) == ITEMS


def test_the_item_table_passes_exactly_what_passes(tmp_path: Path, documents: list[Document]) -> None:
    table = build_table(tmp_path / "t", "items-1", [documents], None)
    rows = table.find_rows(encode_item_ids(d.item.id for d in documents))
    rng = np.random.default_rng(15)
    for filters in [draw_filters(rng) for _ in range(10 * FILTERS)]:
        expected = [passes(document.item, filters) for document in documents]
        assert table.passes(filters, rows).tolist() == expected, filters


@pytest.mark.parametrize("name", ["penelope cruz", "PENÉLOPE CRUZ", "Penelope  Cruz", "Pene\u0301lope Cruz"])
def test_names_are_found_in_any_case_and_without_accents(tmp_path: Path, name: str) -> None:
    item = Item("a", "A", people=("Penelope Cruz", "Penélopé Cruz"), tags=("x",))
    table = build_table(tmp_path / "t", "items-1", [[Document(item)]], None)
    assert table.passes(Filters(people=(name,)), np.array([0])).tolist() == [True]
    assert table.passes(Filters(people=("cruz",)), np.array([0])).tolist() == [False]
