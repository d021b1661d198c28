"""The contract of searches in every engine."""

from collections.abc import Iterator

import numpy as np
import pytest

from reelrank.index_mappings.engine import (
    NeighbourMatch,
    SearchEngine,
    TextMatch,
    VectorMatch,
)
from reelrank.index_mappings.errors import BadRequest, Unavailable
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.index_mappings.match import separate_bonus
from reelrank.index_mappings.query import Filters
from tests.contract.engines import open_engine
from tests.contract.films import FILMS, SOON, build_unit_vector, list_ids, load, search
from tests.raised import raises_code
from tests.servers.server import Server

BONUS = 1024.0


@pytest.fixture(scope="module")
def films(server: Server | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    """An engine that serves FILMS; no test of this module changes it."""
    with open_engine(server, tmp_path_factory.mktemp("films")) as engine:
        load(engine, "items-1", FILMS)
        yield engine


def test_searches_are_unavailable_before_a_version_serves(engine: SearchEngine) -> None:
    assert not engine.is_ready()
    with raises_code(Unavailable, "no_index_version"):
        search(engine, "alien")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("alien", ["alien"]),
        ("AMELIE", ["amelie"]),
        ("runs", ["bare", "blade"]),
        ("the weaver", ["alien"]),
        ("with the of", []),
        ("", []),
        ('"AND) alien:*', ["alien"]),
        ("zebra", []),
    ],
)
def test_text_matches_by_stem_ignoring_case_and_accents(
    films: SearchEngine, text: str, found: list[str]
) -> None:
    assert sorted(search(films, text)) == found


def test_a_title_match_scores_above_a_description_match(films: SearchEngine) -> None:
    assert search(films, "stranger") == ["bare", "alien"]


def test_a_request_can_set_field_weights(films: SearchEngine) -> None:
    def match_with_weights(**weights: float) -> list[str]:
        return list_ids(
            films.match_text(TextMatch("bm25", "stranger", 10, weights=tuple(weights.items())), SOON)
        )

    assert match_with_weights(title=0.1, description=5.0) == ["alien", "bare"]
    assert match_with_weights(description=1.0) == ["alien"]


def test_a_bonus_marks_what_has_every_word_in_any_field(films: SearchEngine) -> None:
    def find_marked(text: str) -> list[str]:
        found = films.match_text(TextMatch("bm25", text, 10, all_words_bonus=BONUS), SOON)
        matches, plain = (
            separate_bonus(found, BONUS),
            films.match_text(TextMatch("bm25", text, 10), SOON),
        )
        assert matches.has_all_words is not None
        by_id = dict(zip(list_ids(matches), matches.scores.tolist(), strict=True))
        assert by_id == pytest.approx(
            dict(zip(list_ids(plain), plain.scores.tolist(), strict=True)), abs=1e-3
        )
        return sorted(np.array(list_ids(matches))[matches.has_all_words].tolist())

    assert find_marked("stranger alien") == ["alien"]  # the title and the description
    assert find_marked("the Weaver, sci-fi") == ["alien"]
    assert find_marked("stranger") == ["alien", "bare"]
    assert find_marked("alien amelie") == []


def test_an_unknown_text_field_is_a_bad_request() -> None:
    with raises_code(BadRequest, "unknown_text_field"):
        TextMatch("bm25", "stranger", 10, weights=(("subtitle", 1.0),))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(genres=("sci-fi",)), ["alien", "blade"]),
        (Filters(genres=("Romance", "Horror")), ["alien", "amelie"]),
        (Filters(genres=("Western",)), []),
        (Filters(languages=("french",)), ["amelie"]),
        (Filters(countries=("USA", "UK")), ["alien", "blade"]),
        (Filters(countries=("usa",)), ["alien", "blade"]),
        (Filters(languages=("español", "French")), ["alien", "amelie"]),
        (Filters(year_min=1980, year_max=1990), ["blade"]),
        (Filters(year_min=1979, year_max=1979), ["alien"]),
        (Filters(duration_min_s=7100), ["amelie"]),
        (Filters(genres=("Sci-Fi",), year_max=1980), ["alien"]),
    ],
)
def test_every_kind_of_match_applies_filters(films: SearchEngine, filters: Filters, found: list[str]) -> None:
    assert sorted(search(films, "alien amelie blade stranger", filters)) == found
    near = films.match_vector(VectorMatch("factors", "factors", build_unit_vector(0), 10, filters), SOON)
    assert sorted(list_ids(near)) == found
    seeds = (Neighbour("alien", 1.0), Neighbour("blade", 1.0))
    carrying = films.match_ids(NeighbourMatch("neighbours", seeds, 10, filters), SOON)
    assert sorted(list_ids(carrying)) == found


def test_knn_returns_cosines_in_order_and_skips_items_without_vector(films: SearchEngine) -> None:
    matches = films.match_vector(VectorMatch("factors", "factors", build_unit_vector(0), 10), SOON)
    assert list_ids(matches) == ["alien", "blade", "amelie"]
    assert matches.scores.tolist() == pytest.approx([1, 0.70711, 0], abs=1e-5)


def test_a_vector_of_the_wrong_size_is_a_bad_request(films: SearchEngine) -> None:
    with raises_code(BadRequest, "unknown_vector_field"):
        films.match_vector(VectorMatch("factors", "factors", build_unit_vector(0, 3), 10), SOON)


def test_neighbour_scores_are_exact_sums_of_weighted_seeds(films: SearchEngine) -> None:
    seeds = (Neighbour("alien", 1.0), Neighbour("amelie", 0.5), Neighbour("unknown", 1.0))
    matches = films.match_ids(NeighbourMatch("neighbours", seeds, 10), SOON)
    assert list_ids(matches) == ["blade", "amelie", "alien"]
    assert matches.scores.tolist() == [1.0, 0.5, 0.125]


def test_ties_are_sorted_by_id(engine: SearchEngine) -> None:
    names = ["d", "b", "c", "a"]
    load(
        engine, "items-1", [Document(Item(n, "Same title"), {"factors": build_unit_vector(3)}) for n in names]
    )
    assert search(engine, "same") == ["a", "b", "c", "d"]
    near = engine.match_vector(VectorMatch("factors", "factors", build_unit_vector(3), 3), SOON)
    assert list_ids(near) == ["a", "b", "c"]


def test_fetch_returns_whole_items_in_the_requested_order(films: SearchEngine) -> None:
    assert films.fetch(["blade", "unknown", "alien"], SOON) == [FILMS[2].item, None, FILMS[0].item]


def test_scan_returns_documents_as_they_were_written(films: SearchEngine) -> None:
    documents = [d for batch in films.scan("items-1", batch_size=3) for d in batch]
    assert [d.item for d in documents] == sorted((d.item for d in FILMS), key=lambda item: item.id)
    np.testing.assert_allclose(documents[0].vectors["factors"], build_unit_vector(0))
    assert documents[0].neighbours == FILMS[0].neighbours


def test_every_vector_field_is_searchable(engine: SearchEngine) -> None:
    vectors = {name: build_unit_vector(0, field.size) for name, field in VECTOR_FIELDS.items()}
    load(engine, "items-1", [Document(Item("a", "A"), vectors)])
    for name, vector in vectors.items():
        assert list_ids(engine.match_vector(VectorMatch(name, name, vector, 1), SOON)) == ["a"]
