"""Whole titles are found however they are typed; beginnings and misspelt words too."""

import random
import tracemalloc
import unicodedata
from collections.abc import Sequence

import numpy as np
import pytest

from reelrank.index_mappings.item import Item
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_index_builder import TitleIndexBuilder
from reelrank.ranking.items.names.title_keys import (
    canonicalize_title,
    compact_title,
    list_edits,
    make_keys,
    split_year,
)
from reelrank.ranking.items.names.typed_query import read_query

TITLES = (
    "The Godfather",
    "The Godfather: Part II",
    "WALL·E",
    "S.W.A.T.",
    "M*A*S*H",
    "L'avventura",
    "Amélie",
    "If....",
    "Spider-Man",
    "Ocean's Eleven",
    "They",
    "No",
    "12 Angry Men",
    "Heat",
    "Heat",
    "Rocky II",
    "...",
    "七人の侍",
    "Lighthouse Keepers",
    "Fast & Furious",
    "Top Gun",
    "Malcolm X",
)
YEARS = np.array(
    [
        1972,
        1974,
        2008,
        2003,
        1970,
        1960,
        2001,
        1968,
        2002,
        2001,
        2002,
        2012,
        1957,
        1995,
        1986,
        1979,
        2000,
        1954,
        1999,
        2009,
        1986,
        1992,
    ],
    np.int16,
)


def build_index(titles: Sequence[str], people: Sequence[str] = ()) -> TitleIndex:
    builder = TitleIndexBuilder()
    builder.add(Item(f"f{row}", title, people=tuple(people)) for row, title in enumerate(titles))
    return TitleIndex(**builder.build(np.arange(len(titles))))


@pytest.fixture(scope="module")
def index() -> TitleIndex:
    return build_index(TITLES, ("Marlon Brando", "Al Pacino"))


def find(index: TitleIndex, text: str) -> list[int]:
    return [int(row) for row in read_query(index, text, YEARS, 10).titles]


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("the godfather", 0),
        ("GODFATHER", 0),
        ("godfather, the", 0),
        ("godfather 2", 1),
        ("godfather ii", 1),
        ("the godfather part two", 1),
        ("wall-e", 2),
        ("wall e", 2),
        ("walle", 2),
        ("swat", 3),
        ("s.w.a.t", 3),
        ("mash", 4),
        ("avventura", 5),
        ("l avventura", 5),
        ("amelie", 6),
        ("AME\u0301LIE", 6),
        ("if", 7),
        ("spider man", 8),
        ("spiderman", 8),
        ("oceans eleven", 9),
        ("ocean\u2019s eleven", 9),
        ("they", 10),
        ("no", 11),
        ("12 angry men", 12),
        ("twelve angry men", 12),
        ("rocky 2", 15),
        ("...", 16),
        ("七人の侍", 17),
        ("\u200elight\u00adhouse keepers", 18),
        ("fast and furious", 19),
        ("topgun", 20),
        ("ｔｏｐ　ｇｕｎ", 20),
    ],
)
def test_a_title_is_found_as_people_type_it(index: TitleIndex, typed: str, title: int) -> None:
    assert find(index, typed) == [title]


def test_a_year_at_the_end_chooses_among_titles_alike(index: TitleIndex) -> None:
    assert sorted(find(index, "heat")) == [13, 14]
    assert find(index, "heat 1995") == [13]
    assert find(index, "Heat (1986)") == [14]
    assert find(index, "heat 1900") == []


@pytest.mark.parametrize("seed", range(100))
def test_one_wrong_letter_in_a_long_word_still_finds_the_title(index: TitleIndex, seed: int) -> None:
    rng = random.Random(seed)
    row = rng.choice((0, 9, 18))
    title = TITLES[row]
    longest = max(title.replace("'", " ").split(), key=len)
    place = rng.randrange(1, len(longest) - 2)
    wrong = rng.choice(
        (
            longest[:place] + longest[place + 1 :],
            longest[:place] + longest[place + 1] + longest[place] + longest[place + 2 :],
            longest[:place] + rng.choice("abcdefghijklmnopqrstuvwxyz") + longest[place + 1 :],
        )
    )
    assert row in find(index, title.replace(longest, wrong)), wrong


def test_a_misspelling_that_is_itself_a_word_is_tried_too() -> None:
    assert find(build_index(("Alien", "Aline")), "alein") in ([0], [0, 1])
    only = build_index(("Alien Nation", "Aline"))
    assert find(only, "aline nation") == [0]


def test_what_names_no_title_finds_none(index: TitleIndex) -> None:
    for text in ("zzzzqqq", "", " ", "godfather godfather", "\x00", "🦊", "a" * 5000, "the"):
        assert find(index, text) == []


@pytest.mark.parametrize("letters", range(30, 36))
def test_only_a_word_of_bounded_length_is_corrected(letters: int) -> None:
    word = "q" * (letters - 1) + "z"
    found = find(build_index([word]), "q" * letters)
    assert found == ([0] if letters <= 31 else [])


@pytest.mark.parametrize(
    "text",
    ["q" * 400, "\u3316" * 400, "\ufdfa" * 400, "xqzw " * 80, "lighthose pacin marln brand " * 14],
    ids=["one word", "one folded word of 2400 letters", "1600 folded words", "unknown", "misspelt"],
)
def test_correcting_a_query_of_400_characters_takes_little_memory(index: TitleIndex, text: str) -> None:
    tracemalloc.start()
    try:
        read_query(index, text, YEARS, 10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_only_the_first_misspelt_words_of_a_long_query_are_corrected(index: TitleIndex) -> None:
    spelling = read_query(index, "lighthose " * 40, YEARS, 10).spelling
    assert spelling.split() == ["lighthouse"] * 8 + ["lighthose"] * 32


def find_beginnings(index: TitleIndex, text: str, limit: int = 10) -> list[int]:
    return [int(row) for row in index.find_beginnings(make_keys(text), limit)]


def test_a_beginning_finds_the_shortest_titles_first(index: TitleIndex) -> None:
    assert find_beginnings(index, "the godf") == [0, 1]
    assert find_beginnings(index, "godfather p") == [1], "the article need not be typed"
    assert find_beginnings(index, "a godf") == [], "another article is another title"
    assert find_beginnings(index, "lightho") == [18]
    assert find_beginnings(index, "he") == []
    assert sorted(find_beginnings(index, "hea")) == [13, 14]
    assert len(find_beginnings(index, "hea", 1)) == 1


def test_one_whole_word_is_no_half_typed_title(index: TitleIndex) -> None:
    assert read_query(index, "spider", YEARS, 10).beginnings.tolist() == []
    assert read_query(index, "spid", YEARS, 10).beginnings.tolist() == [8]
    assert read_query(index, "the god", YEARS, 10).beginnings.tolist() == [0, 1]


def test_a_query_without_a_title_is_spelt_as_the_catalogue_spells_it(index: TitleIndex) -> None:
    assert read_query(index, "lighthuose fury", YEARS, 10).spelling == "lighthouse fury"
    assert read_query(index, "lighthouse", YEARS, 10).spelling == "lighthouse"
    assert read_query(index, "marlon brandp", YEARS, 10).people.rows.tolist() == list(range(len(TITLES)))
    assert read_query(index, "Lighthouse, brando!", YEARS, 10).spelling == "Lighthouse, brando!"


def test_a_misspelt_beginning_finds_titles_that_begin_with_it() -> None:
    index = build_index(("Star Wars: A New Hope", "Was", "Who Was It", "Lone Star"))
    for typed in ("star warz", "star wrs", "satr wars"):
        assert read_query(index, typed, YEARS, 10).spelling == "star wars"
        assert read_query(index, typed, YEARS, 10).beginnings.tolist() == [0]


def test_a_short_word_is_corrected_only_where_it_makes_a_title(index: TitleIndex) -> None:
    assert find(index, "top gnu") == [20]
    assert read_query(index, "gnu", YEARS, 10).spelling == "gnu"
    assert read_query(index, "brando gnu", YEARS, 10).spelling == "brando gnu"


@pytest.mark.parametrize("seed", range(100))
def test_every_beginning_of_a_random_catalogue_finds_what_a_scan_finds(seed: int) -> None:
    rng = random.Random(seed)
    titles = ["".join(rng.choices("abé 'X2", k=rng.randrange(0, 8))) for _ in range(60)]
    index = build_index(titles)
    typed = "".join(rng.choices("abé 'X2", k=rng.randrange(3, 6)))
    wanted, words = compact_title(typed), make_keys(typed).words
    is_half_typed = len(wanted.encode()) >= 3 and not (len(words) == 1 and index.count_words(words)[0])
    expected = [row for row, title in enumerate(titles) if compact_title(title).startswith(wanted)]
    found = find_beginnings(index, typed, 1000)
    assert sorted(found) == (expected if is_half_typed else [])


@pytest.mark.parametrize("seed", range(100))
def test_keys_ignore_case_width_accents_and_marks(seed: int) -> None:
    rng = random.Random(seed)
    title = "".join(rng.choices("Amélie ÉTÉ naïve Straße 12:II-x'·", k=rng.randrange(1, 20)))
    typed = unicodedata.normalize(
        rng.choice(("NFC", "NFD", "NFKC", "NFKD")), rng.choice((title, title.upper()))
    )
    assert compact_title(typed) == compact_title(title)
    assert canonicalize_title(typed) == canonicalize_title(title)


def test_edits_are_one_step_away_and_keep_the_first_letter() -> None:
    edits = list_edits("heat")
    assert {"hat", "haet", "hest", "heart", "heats"} <= set(edits)
    assert all(edit[0] == "h" and edit != "heat" and 3 <= len(edit) <= 5 for edit in edits)


def test_a_year_is_taken_off_only_where_words_stand_before_it() -> None:
    assert split_year("heat (1995)") == ("heat", 1995)
    assert split_year("1917") == ("1917", None)
    assert make_keys("Heat （１９９５）").year == 1995
    assert split_year("2001: a space odyssey") == ("2001: a space odyssey", None)


def test_an_empty_catalogue_finds_nothing() -> None:
    empty = build_index(())
    assert read_query(empty, "heat", YEARS[:0], 5).spelling == "heat"
    assert find_beginnings(empty, "heat") == []
    assert empty.correct(["heat"]) == []


def test_a_whole_name_finds_everything_of_that_person(index: TitleIndex) -> None:
    assert index.credits.find(make_keys("MARLON BRANDO")).tolist() == list(range(len(TITLES)))
    assert index.credits.find(make_keys("al-pacino")).tolist() == list(range(len(TITLES)))
    assert index.credits.find(make_keys("brando")).tolist() == []


def test_rows_follow_the_order_that_is_given() -> None:
    builder = TitleIndexBuilder()
    builder.add([Item("b", "Second", people=("Ada Lovelace",)), Item("a", "First")])
    index = TitleIndex(**builder.build(np.array([1, 0])))
    assert index.find_titles(make_keys("first"), YEARS).tolist() == [0]
    assert index.find_titles(make_keys("second"), YEARS).tolist() == [1]
    assert index.credits.find(make_keys("ada lovelace")).tolist() == [1]
