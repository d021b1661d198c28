"""What a query names beside whole titles: a person by surname, a film of a series by its number or year."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import NO_FILTERS
from reelrank.ranking.items.names.people_index import list_parts
from reelrank.ranking.items.names.sorted_texts import SortedTexts, build_texts
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_index_builder import TitleIndexBuilder
from reelrank.ranking.items.names.typed_query import TypedQuery, read_query
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import build_table
from reelrank.ranking.items.watch_columns import WatchColumns
from reelrank.ranking.retrieval.exact_matcher import ExactMatcher
from reelrank.ranking.retrieval.sources import TitleSource, query_source

Film = tuple[str, int, tuple[str, ...]]
FILMS: tuple[Film, ...] = (
    ("Big", 1988, ("Tom Hanks", "Elizabeth Perkins")),
    ("Apollo 13", 1995, ("Tom Hanks", "Kevin Bacon")),
    ("Orange County", 2002, ("Colin Hanks",)),
    ("The Terminal", 2004, ("Tom Hanks",)),
    ("Heat", 1995, ("Robert De Niro", "Al Pacino")),
    ("Star Wars: Episode IV", 1977, ("Mark Hamill",)),
    ("Star Wars: Episode V", 1980, ("Mark Hamill",)),
    ("Harry Potter and the Goblet of Fire", 2005, ("Emma Watson",)),
    ("Harry Potter and the Chamber of Secrets", 2002, ("Emma Watson",)),
    ("Monsters", 2010, ("Monica Potter",)),
    ("A Guy Named Joe", 1943, ("Arthur Space",)),
    ("Space Cowboys", 2000, ("Clint Eastwood",)),
    ("Office Space", 1999, ("Ron Livingston",)),
    ("Hitchcock", 2012, ("Anthony Hopkins",)),
    ("Psycho", 1960, ("Alfred Hitchcock",)),
    ("Jones", 1975, ("Nobody Else",)),
    ("Indiana Jones", 1981, ("Mark Twain",)),
    ("A Small Part", 2013, ("Jones",)),
    *((f"Suspense {number}", 1940 + number, ("Alfred Hitchcock",)) for number in range(11)),
)


def build_index(films: Sequence[Film] = FILMS) -> TitleIndex:
    builder = TitleIndexBuilder()
    builder.add(Item(f"f{row}", title, people=people) for row, (title, _, people) in enumerate(films))
    return TitleIndex(**builder.build(np.arange(len(films))))


@pytest.fixture(scope="module")
def index() -> TitleIndex:
    return build_index()


YEARS = np.array([year for _, year, _ in FILMS], np.int16)


def read(index: TitleIndex, text: str) -> TypedQuery:
    return read_query(index, text, YEARS, 10)


def choose(index: TitleIndex, text: str, watched: Sequence[int] = ()) -> tuple[list[int], list[int]]:
    """Returns the rows that lead and those that follow, where each of these rows has a watch."""
    people = read(index, text).people
    watches = np.isin(people.namesakes.rows, watched).astype(np.float64)
    leading, others = people.choose(watches, YEARS)
    return leading.tolist(), sorted(others.tolist())


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("hanks", [0, 1, 3]),
        ("HÁNKS", [0, 1, 3]),
        ("hankz", [0, 1, 3]),
        ("hnaks", [0, 1, 3]),
        ("hamill", [5, 6]),
        ("de niro", [4]),
        ("niro", [4]),
        ("emma", [7, 8]),
        ("potter", []),
        ("space", []),
        ("tom hanks", [0, 1, 3]),
        ("colin hanks", [2]),
        ("jones", []),
        ("hitchcock", [14, *range(18, 29)]),
        ("", []),
        ("...", []),
    ],
)
def test_a_surname_finds_its_best_known_people_unless_titles_use_it(
    index: TitleIndex, typed: str, rows: list[int]
) -> None:
    assert choose(index, typed)[0] == rows


def test_a_whole_title_is_kept_beside_the_person_of_that_name(index: TitleIndex) -> None:
    assert read(index, "hitchcock").titles.tolist() == [13]
    assert read(index, "jones").titles.tolist() == [15]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Robert De Niro", ["deniro", "niro", "robert "]),
        ("Daniel Day-Lewis", ["daylewis", "lewis", "daniel "]),
        ("Madonna", []),
        ("", []),
    ],
)
def test_parts_of_a_name_are_its_endings_and_the_first_word(name: str, parts: list[str]) -> None:
    assert list_parts(name) == parts


def test_a_year_after_the_beginning_of_a_title_chooses_the_film_of_that_year(index: TitleIndex) -> None:
    found = read(index, "star wars 1980")
    assert found.beginnings.tolist() == [6]
    assert sorted(found.series.tolist()) == [5, 6]
    assert read(index, "star wrs 1977").beginnings.tolist() == [5]
    assert read(index, "star wars 1999").beginnings.tolist() == []


@pytest.mark.parametrize("typed", ["harry potter 3", "harry potter iii", "harry potter three"])
def test_a_number_after_the_beginning_of_titles_finds_the_series(index: TitleIndex, typed: str) -> None:
    found = read(index, typed)
    assert sorted(found.series.tolist()) == [7, 8]
    assert not len(found.titles) + len(found.beginnings)


def test_a_number_after_a_whole_title_finds_that_title(index: TitleIndex) -> None:
    assert read(index, "heat 7").series.tolist() == [4]
    assert read(index, "nothing 7").series.tolist() == []


@pytest.mark.parametrize("typed", ["apollo 14", "star wars 1978", "sci-fi 1980s", "1978"])
def test_a_number_is_not_corrected_to_another_number(index: TitleIndex, typed: str) -> None:
    assert read(index, typed).spelling == typed


def test_a_word_of_titles_is_not_the_name_of_a_person(index: TitleIndex) -> None:
    assert read(index, "space war").homonyms.tolist() == [10]
    assert read(index, "arthur space war").homonyms.tolist() == []
    assert read(index, "hanks war").homonyms.tolist() == []
    assert read(index, "space").homonyms.tolist() == []


def test_of_a_person_with_too_many_items_the_most_watched_are_kept(tmp_path: Path) -> None:
    items = [Item(f"f{number}", f"Film {number}", people=("Ada Star",)) for number in range(9)]
    table = build_table(tmp_path / "table", "items-1", [[Document(item, {}) for item in items]], None)
    popularity = Popularity(len(table))
    rows, ones = np.array([7, 7, 5]), np.ones(3, np.float32)
    popularity.add_watches(
        WatchColumns(np.arange(3, dtype=np.uint64), rows, np.arange(1, 4), ones, np.arange(1, 4), ones * 0)
    )
    typed = read_query(table.titles, "star", table.year, 10)
    source = TitleSource("title", 2, NO_FILTERS, typed)
    matcher = ExactMatcher(table, {}, None)  # type: ignore[arg-type]  # no text is matched
    found = query_source(source, matcher, table, popularity, 1.0)
    assert found.ids.tolist() == encode_item_ids(["f5", "f7"]).tolist()


@given(st.lists(st.text("ab", max_size=14), max_size=30), st.lists(st.text("ab", max_size=12), max_size=4))
def test_ranges_of_sorted_texts_are_those_of_a_scan(titles: list[str], typed: list[str]) -> None:
    columns = build_texts(titles)
    texts = SortedTexts(columns["texts"], columns["offsets"], columns["heads"])
    ordered = sorted(titles)
    for beginning, (first, last) in zip(typed, texts.find_ranges([t.encode() for t in typed]), strict=True):
        assert ordered[first:last] == [title for title in ordered if title.startswith(beginning)]


HITCH: tuple[Film, ...] = (("Hitch", 2005, ("Will Smith",)), ("Scores", 2001, ()))


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("hitchc", "Hitchcock"),
        ("alfred hitchc", "Alfred Hitchcock"),
        ("hitcn", "hitch"),
        ("scorse", "Scores"),
    ],
)
def test_a_half_typed_name_is_no_misspelt_title_where_more_items_have_it(text: str, spelling: str) -> None:
    films = (*FILMS, *HITCH)
    read = read_query(build_index(films), text, np.array([year for _, year, _ in films], np.int16), 10)
    assert read.spelling.casefold() == spelling.casefold()
    assert read.names_anything


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("de niro pacino", [4]),
        ("pacino robert de niro", [4]),
        ("hanks kevin bacon", [1]),
        ("bacon tom hanks", [1]),
        ("hankz bacon", [1]),
        ("hanks pacino", []),
        ("hanks alien", []),
        ("hanks hanks", [0, 1, 3]),
        ("tom hanks robert de niro", []),
    ],
)
def test_names_of_several_people_find_what_they_share(index: TitleIndex, typed: str, rows: list[int]) -> None:
    assert choose(index, typed)[0] == rows


def test_what_one_of_several_people_has_follows_what_they_share(index: TitleIndex) -> None:
    assert choose(index, "hanks kevin bacon") == ([1], [0, 3])
    assert choose(index, "tom hanks al pacino") == ([], [0, 1, 3, 4])
    assert choose(index, "hanks pacino") == ([], [])


@pytest.mark.parametrize(
    ("typed", "leading", "others"),
    [
        ("tom hanks 1995", [1], [0, 3]),
        ("Tom Hanks (1995)", [1], [0, 3]),
        ("tom hankz 1995", [1], [0, 3]),
        ("hanks 1988", [0], [1, 2, 3]),
        ("tom hanks 1950", [], [0, 1, 3]),
        ("nobody hanks 1995", [], []),
    ],
)
def test_a_year_after_a_name_chooses_the_items_of_that_year(
    index: TitleIndex, typed: str, leading: list[int], others: list[int]
) -> None:
    assert choose(index, typed) == (leading, others)


FAMILIES: tuple[Film, ...] = (
    ("Fargo", 1996, ("Joel Coen", "Ethan Coen")),
    ("Gambit", 2012, ("Other Director", "Joel Coen")),
    ("Darkman", 1990, ("Coen brothers",)),
    ("Wall Street", 1987, ("Oliver Stone",)),
    ("Casino", 1995, ("Robert De Niro", "Sharon Stone")),
    ("The Polish Brothers", 2009, ("Mark Polish",)),
    ("Eraserhead", 1977, ("David Lynch",)),
    ("Dune", 1984, ("David Lynch",)),
    *((f"Film {n}", 1990, (*"abcdefgh", "John Carroll Lynch")) for n in range(6)),
    ("Basic Instinct", 1992, ("Sharon Stone",)),
)


def choose_of_families(text: str, watched: Sequence[int] = ()) -> tuple[list[int], list[int]]:
    years = np.array([year for _, year, _ in FAMILIES], np.int16)
    people = read_query(build_index(FAMILIES), text, years, 10).people
    leading, others = people.choose(np.isin(people.namesakes.rows, watched).astype(np.float64), years)
    return leading.tolist(), sorted(others.tolist())


@pytest.mark.parametrize(
    ("typed", "leading", "others"),
    [
        ("coen brothers", [0, 2], [1]),
        ("the coen brothers", [0, 2], [1]),
        ("Coen Bros.", [0], [1]),
        ("polish brothers", [], []),
        ("stone sisters", [4, 14], [3]),
        ("brothers", [], []),
        ("unknown brothers", [], []),
    ],
)
def test_brothers_after_a_surname_are_the_people_of_that_name(
    typed: str, leading: list[int], others: list[int]
) -> None:
    assert choose_of_families(typed) == (leading, others)


def test_whom_items_name_first_is_prominent_and_the_namesakes_follow() -> None:
    assert choose_of_families("lynch") == ([6, 7], [8, 9, 10, 11, 12, 13])


def test_watches_decide_which_namesake_is_the_most_prominent(index: TitleIndex) -> None:
    assert choose(index, "hanks", watched=[2]) == ([0, 1, 3], [2])
    assert choose_of_families("stone", watched=[3]) == ([3], [4, 14])


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("hpatgof", [7]),
        ("HPATCOS", [8]),
        ("sw", []),
        ("swei", [5]),
        ("sweiv", []),
        ("big", [0]),
        ("a13", [1]),
    ],
)
def test_initials_find_a_title_unless_they_are_a_word(index: TitleIndex, typed: str, rows: list[int]) -> None:
    assert read(index, typed).titles.tolist() == rows


@given(st.lists(st.sampled_from(["lord", "rings", "two", "towers", "of", "7"]), min_size=3, max_size=6))
def test_the_initials_of_any_title_and_of_its_first_part_find_it(words: list[str]) -> None:
    title, initials = " ".join(words), "".join(word[0] for word in words)
    index = build_index([(f"The {title}: Part Three", 2001, ()), ("Heat", 1995, ())])
    assert read_query(index, initials.upper(), np.array([2001, 1995], np.int16), 10).titles.tolist() == [0]


def test_a_half_typed_word_that_a_correction_only_lengthens_also_begins_other_titles() -> None:
    films = [("The Terminal", 2004, ()), ("The Terminator", 1984, ()), ("Terminus", 1987, ())]
    typed = read_query(build_index(films), "termina", np.array([2004, 1984, 1987], np.int16), 10)
    assert (typed.titles.tolist(), typed.beginnings.tolist()) == ([0], [0, 1])
    assert typed.spelling == "termina"


def test_a_word_of_a_title_that_is_typed_alone_is_not_corrected_to_another_title() -> None:
    films = [("The Grump", 2014, ()), ("Forrest Gump", 1994, ()), ("Heat", 1995, ("Ann Heap",))]
    years = np.array([2014, 1994, 1995], np.int16)
    assert read_query(build_index(films), "gump", years, 10).spelling == "gump"
    assert read_query(build_index(films), "heap", years, 10).spelling == "heap"


def test_a_known_word_that_a_correction_replaces_is_still_searched_for() -> None:
    films = [("The Inglorious Bastards", 1978, ()), ("Inglourious Basterds", 2009, ())]
    read = read_query(build_index(films), "inglourious bastards", np.array([1978, 2009], np.int16), 10)
    assert (read.titles.tolist(), read.expansion) == ([0], ("inglourious",))
