"""The contract of index versions and of changes to documents."""

from reelrank.index_mappings.engine import SearchEngine, TextMatch, VectorMatch
from reelrank.index_mappings.errors import Conflict, NotFound
from reelrank.index_mappings.item import Document, Item
from tests.contract.films import FILMS, SOON, build_unit_vector, list_ids, load, search
from tests.raised import raises_code


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


def test_a_matcher_of_a_version_stays_with_it_after_a_promotion(films: SearchEngine) -> None:
    """A worker goes on with the embeddings that its model knows until it switches both."""
    before, vector = films.at_version("items-1"), build_unit_vector(0)
    text = TextMatch("bm25", "alien", 10)
    near = VectorMatch("factors", "factors", vector, 10)
    found = [list_ids(before.match_text(text, SOON)), list_ids(before.match_vector(near, SOON))]
    assert found[0] == ["alien"]
    load(films, "items-2", [Document(Item("new", "Alien again"), {"factors": vector})])
    assert [list_ids(before.match_text(text, SOON)), list_ids(before.match_vector(near, SOON))] == found
    after = films.at_version("items-2")
    assert list_ids(after.match_text(text, SOON)) == ["new"]
    assert list_ids(after.match_vector(near, SOON)) == ["new"]
    assert [list_ids(before.match_text(text, SOON)), list_ids(before.match_vector(near, SOON))] == found


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
    assert films.delete(["alien", "unknown"]) == 1
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
    with raises_code(Conflict, "index_version_exists"):
        films.create_index("items-1")
    with raises_code(Conflict, "index_version_serving"):
        films.drop("items-1")
    with raises_code(NotFound, "index_version_not_found"):
        films.promote("items-9")
    with raises_code(NotFound, "index_version_not_found"):
        films.write("items-9", [])
    with raises_code(NotFound, "index_version_not_found"):
        next(films.scan("items-9"))


def test_a_version_name_may_contain_a_time(engine: SearchEngine) -> None:
    load(engine, "items-1a2b3c4d-20261124T164500", FILMS)
    assert engine.serving_version() == "items-1a2b3c4d-20261124T164500"
    assert [v.name for v in engine.versions()] == ["items-1a2b3c4d-20261124T164500"]


def test_a_dropped_version_is_not_listed(films: SearchEngine) -> None:
    load(films, "items-2", FILMS[:1])
    films.drop("items-1")
    assert [v.name for v in films.versions()] == ["items-2"]


def test_live_changes_of_a_version_are_read_from_a_position(films: SearchEngine) -> None:
    nothing, start = films.read_changes("items-1", None)
    assert nothing == []
    new = Document(Item("new", "A new film"), {"factors": build_unit_vector(0)})
    films.upsert([new, Document(Item("other", "Another"))])
    changed, position = films.read_changes("items-1", start)
    assert {document.item.id for document in changed} == {"new", "other"}
    vectors = {document.item.id: document.vectors for document in changed}
    assert vectors["new"]["factors"].tolist() == new.vectors["factors"].tolist()
    assert films.read_changes("items-1", position) == ([], position)
    films.delete(["other"])
    assert films.read_changes("items-1", position)[0] == []
    assert {document.item.id for document in films.read_changes("items-1", None)[0]} == {"new"}


def test_changes_made_while_a_version_was_built_are_read(films: SearchEngine) -> None:
    films.create_index("items-2")
    films.write("items-2", [Document(d.item) for d in FILMS])
    films.upsert([Document(Item("late", "A late film"))])
    films.promote("items-2")
    assert {document.item.id for document in films.read_changes("items-2", None)[0]} >= {"late"}
