"""The contract of every search engine."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from reelrank.index_mappings.engine import NeighbourMatch, SearchEngine, TextMatch, VectorMatch
from reelrank.index_mappings.errors import BadRequest, Conflict, NotFound, Unavailable
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.index_mappings.match import Matches
from reelrank.index_mappings.query import Filters

SOON = 5.0


def build_unit_vector(index: int, size: int = 64) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    vector = np.zeros(size, np.float32)
    vector[index] = 1
    return vector


def build_year_date(number: int) -> datetime:
    return datetime(number, 6, 1, tzinfo=UTC)


FILMS = [
    Document(
        Item("alien", "Alien", "A crew meets a stranger", genres=("Horror", "Sci-Fi"), language="English",
             people=("Sigourney Weaver",), country="UK", published_at=build_year_date(1979), duration_s=7020),
        {"factors": build_unit_vector(0)},
        (Neighbour("blade", 1.0), Neighbour("amelie", 0.25)),
    ),
    Document(
        Item("amelie", "Amélie", genres=("Romance",), language="French", country="France",
             published_at=build_year_date(2001), duration_s=7320),
        {"factors": build_unit_vector(1)},
        (Neighbour("alien", 0.5),),
    ),
    Document(
        Item("blade", "Blade Runner", "Androids running", genres=("Sci-Fi",), language="English",
             country="USA", published_at=build_year_date(1982), duration_s=7020),
        {"factors": (build_unit_vector(0) + build_unit_vector(1)) / np.sqrt(np.float32(2))},
        (Neighbour("alien", 1.0),),
    ),
    Document(Item("bare", "Stranger things run")),
]  # fmt: skip


def list_ids(matches: Matches) -> list[str]:
    return [i.decode() for i in matches.ids.tolist()]


@pytest.fixture
def films(engine: SearchEngine) -> SearchEngine:
    load(engine, "items-1", FILMS)
    return engine


def load(engine: SearchEngine, version: str, documents: Sequence[Document]) -> None:
    engine.create_index(version)
    assert engine.write(version, documents).written == len(documents)
    engine.promote(version)


def search(engine: SearchEngine, text: str, filters: Filters | None = None) -> list[str]:
    return list_ids(engine.match_text(TextMatch("bm25", text, 10, filters or Filters()), SOON))


def test_searches_are_unavailable_before_a_version_serves(engine: SearchEngine) -> None:
    assert not engine.is_ready()
    with pytest.raises(Unavailable):
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
    def weighed(**weights: float) -> list[str]:
        return list_ids(
            films.match_text(TextMatch("bm25", "stranger", 10, weights=tuple(weights.items())), SOON)
        )

    assert weighed(title=0.1, description=5.0) == ["alien", "bare"]
    assert weighed(description=1.0) == ["alien"]


def test_an_unknown_text_field_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="subtitle"):
        TextMatch("bm25", "stranger", 10, weights=(("subtitle", 1.0),))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(genres=("sci-fi",)), ["alien", "blade"]),
        (Filters(genres=("Romance", "Horror")), ["alien", "amelie"]),
        (Filters(genres=("Western",)), []),
        (Filters(languages=("french",)), ["amelie"]),
        (Filters(countries=("USA", "UK")), ["alien", "blade"]),
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
    with pytest.raises(BadRequest):
        films.match_vector(VectorMatch("factors", "factors", build_unit_vector(0, 3), 10), SOON)


def test_neighbour_scores_are_exact_sums_of_weighted_seeds(films: SearchEngine) -> None:
    seeds = (Neighbour("alien", 1.0), Neighbour("amelie", 0.5), Neighbour("nobody", 1.0))
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
    assert films.fetch(["blade", "nobody", "alien"], SOON) == [FILMS[2].item, None, FILMS[0].item]


def test_scan_returns_documents_as_they_were_written(films: SearchEngine) -> None:
    documents = [d for batch in films.scan("items-1", batch_size=3) for d in batch]
    assert [d.item for d in documents] == sorted((d.item for d in FILMS), key=lambda item: item.id)
    np.testing.assert_allclose(documents[0].vectors["factors"], build_unit_vector(0))
    assert documents[0].neighbours == FILMS[0].neighbours


def test_a_version_is_not_searched_until_it_is_promoted(films: SearchEngine) -> None:
    films.create_index("items-2")
    films.write("items-2", [Document(Item("new", "Alien again"))])
    assert search(films, "alien") == ["alien"]
    films.promote("items-2")
    assert search(films, "alien") == ["new"]
    assert films.serving_version() == "items-2"
    assert [(v.name, v.documents, v.serving) for v in films.versions()] == [
        ("items-2", 1, True),
        ("items-1", 4, False),
    ]


def test_live_changes_during_a_load_are_in_the_new_version(films: SearchEngine) -> None:
    films.create_index("items-2")
    films.write("items-2", [Document(d.item) for d in FILMS])
    films.upsert([Document(Item("blade", "Blade Runner: Final Cut"))])
    films.delete(["amelie"])
    films.promote("items-2")
    assert search(films, "final") == ["blade"]
    assert films.fetch(["amelie"], SOON) == [None]


def test_promoting_an_older_version_applies_the_live_changes_since(
    films: SearchEngine,
) -> None:
    load(films, "items-2", [Document(Item("bad", "A bad load"))])
    films.upsert([Document(Item("live", "A live change"))])
    films.promote("items-1")
    assert search(films, "bad") == []
    assert search(films, "alien") == ["alien"]
    assert search(films, "live change") == ["live"]


def test_an_upsert_is_searchable_at_once_and_keeps_learned_fields(films: SearchEngine) -> None:
    films.upsert([Document(Item("alien", "Alien: Director's Cut"))])
    assert search(films, "director") == ["alien"]
    near = films.match_vector(VectorMatch("factors", "factors", build_unit_vector(0), 1), SOON)
    assert list_ids(near) == ["alien"]


def test_a_deleted_item_is_never_found_and_can_be_added_again(films: SearchEngine) -> None:
    assert films.delete(["alien", "nobody"]) == 1
    assert search(films, "alien") == []
    near = films.match_vector(VectorMatch("factors", "factors", build_unit_vector(0), 10), SOON)
    assert "alien" not in list_ids(near)
    assert films.fetch(["alien"], SOON) == [None]
    films.upsert([FILMS[0]])
    assert search(films, "alien") == ["alien"]


def test_an_invalid_document_is_rejected_with_a_reason(
    engine: SearchEngine,
) -> None:
    engine.create_index("items-1")
    bad = Document(Item("bad", "Bad"), {"factors": build_unit_vector(0, 3)})
    report = engine.write("items-1", [FILMS[0], bad])
    assert report.written == 1
    assert [r.id for r in report.rejected] == ["bad"]
    assert "shape" in report.rejected[0].reason


def test_missing_and_existing_versions_are_refused(films: SearchEngine) -> None:
    with pytest.raises(Conflict):
        films.create_index("items-1")
    with pytest.raises(Conflict):
        films.drop("items-1")
    with pytest.raises(NotFound):
        films.promote("items-9")
    with pytest.raises(NotFound):
        films.write("items-9", [])
    with pytest.raises(NotFound):
        next(films.scan("items-9"))


def test_a_version_name_may_contain_a_time(engine: SearchEngine) -> None:
    load(engine, "items-1a2b3c4d-20261124T164500", FILMS)
    assert engine.serving_version() == "items-1a2b3c4d-20261124T164500"
    assert [v.name for v in engine.versions()] == ["items-1a2b3c4d-20261124T164500"]


def test_a_dropped_version_is_not_listed(films: SearchEngine) -> None:
    load(films, "items-2", FILMS[:1])
    films.drop("items-1")
    assert [v.name for v in films.versions()] == ["items-2"]


def test_every_vector_field_is_searchable(engine: SearchEngine) -> None:
    vectors = {name: build_unit_vector(0, field.size) for name, field in VECTOR_FIELDS.items()}
    load(engine, "items-1", [Document(Item("a", "A"), vectors)])
    for name, vector in vectors.items():
        assert list_ids(engine.match_vector(VectorMatch(name, name, vector, 1), SOON)) == ["a"]
