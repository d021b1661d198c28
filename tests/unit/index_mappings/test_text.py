"""Text that looks or is typed differently has the same words."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reelrank.app.engines.embedded.text.analysis import build_analyzer, separate_words
from reelrank.index_mappings.text import clean_text, fold_text, prepare_text, split_query

INVISIBLE = [
    "\u200e",
    "\u200f",
    "\u2066",
    "\u2069",
    "\u00ad",
    "\u200d",
    "\u200c",
    "\ufeff",
    "\u2060",
    "\u061c",
]
JOINERS = ["-", "\u2010", "\u2011", "\u00b7", ".", "*", "/", ":", "&", "_", "+", "\u2022", "\u30fb"]
LATIN = "".join(map(chr, (*range(0x61, 0x7B), *range(0xE0, 0xF7), *range(0xF8, 0x180))))
WORDS = st.text(st.sampled_from("abcdefghijkmnopqruvwxyz"), min_size=2, max_size=9)
ANALYZER = build_analyzer()


def list_tokens(text: str) -> list[str]:
    """Returns the tokens that the embedded engine indexes; servers index the same."""
    return list(ANALYZER.analyze(separate_words(prepare_text(text))))


def search_words(text: str) -> set[str]:
    return set(ANALYZER.analyze(separate_words(" ".join(split_query(text).content))))


def test_every_format_character_is_invisible() -> None:
    marks = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"]
    assert [mark for mark in marks if clean_text(mark)] == ["\u200b"]


@given(WORDS, WORDS, st.data())
def test_invisible_marks_are_no_part_of_words(one: str, other: str, data: st.DataObject) -> None:
    text = f"{one} {other}"
    position = data.draw(st.integers(0, len(text)))
    marked = text[:position] + data.draw(st.sampled_from(INVISIBLE)) + text[position:]
    assert list_tokens(marked) == list_tokens(text)
    assert fold_text(marked) == fold_text(text)


@given(
    st.text(st.sampled_from("aeoucnszAEOUCNSZ"), min_size=1),
    st.sampled_from("\u0300\u0301\u0302\u0303\u0308\u030c\u0327"),
)
def test_composed_and_decomposed_accents_are_the_same(word: str, accent: str) -> None:
    decomposed = "".join(letter + accent for letter in word)
    composed = unicodedata.normalize("NFC", decomposed)
    assert list_tokens(decomposed) == list_tokens(composed) == list_tokens(word)
    assert fold_text(decomposed) == fold_text(composed) == word.lower()


@given(st.text(st.sampled_from(LATIN), min_size=1, max_size=8))
def test_folding_agrees_with_the_analyser_on_latin_letters(word: str) -> None:
    folded = fold_text(word)
    if folded.isascii():
        assert list_tokens(word) == list_tokens(folded)
    assert fold_text(word.upper()) == folded


@given(st.lists(WORDS, min_size=2, max_size=4), st.sampled_from(JOINERS))
def test_joined_words_match_however_they_are_typed(words: list[str], joiner: str) -> None:
    title = set(list_tokens(joiner.join(words)))
    for typed in (joiner.join(words), " ".join(words), "".join(words), "-".join(words).upper()):
        assert search_words(typed) & title, typed
    assert search_words("".join(words)) <= title


@given(
    st.sampled_from(["l", "d", "dell", "qu", "L", "nell", "un", "o"]),
    WORDS,
    st.sampled_from("'\u2019\u02bc\u2032"),
)
def test_elided_words_are_found_with_and_without_the_elision(prefix: str, word: str, mark: str) -> None:
    title = set(list_tokens(f"{prefix}{mark}{word}x"))
    for typed in (f"{word}x", f"{prefix}'{word}x", f"{prefix}{word}x", f"{prefix} {word}x"):
        assert search_words(typed) & title, typed


@given(WORDS, st.sampled_from("'\u2019\u02bc"))
def test_a_possessive_is_the_word_itself(word: str, mark: str) -> None:
    assert prepare_text(f"{word}{mark}s list") == f"{word} list"


@given(st.text(max_size=40))
@example("\u0130stanbul")
@example("\ufdfa")
@example("\u1e9e")
def test_any_text_is_prepared_once_and_for_all(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)
    assert fold_text(fold_text(text)) == fold_text(text)
    words = split_query(text)
    assert len({*words.content, *words.stop}) == len(words.content) + len(words.stop)


@given(st.sampled_from(["No", "They", "If....", "Will", "To Be or Not to Be", "A", "..."]))
def test_a_title_of_stop_words_or_punctuation_has_content(title: str) -> None:
    words = split_query(title)
    assert words.content
    assert not words.stop


@pytest.mark.parametrize(
    ("text", "content", "stop"),
    [
        ("The Thing", ("thing",), ("the",)),
        ("the THE thing Thing", ("thing",), ("the",)),
        ("WALL\u00b7E", ("wall", "e", "walle"), ()),
        ("M*A*S*H", ("m", "s", "h", "mash"), ("a",)),
        ("S.W.A.T.", ("s", "w", "t", "swat"), ("a",)),
        ("Spider-Man", ("spider", "man", "spiderman"), ()),
        ("Don\u2019t Look Now", ("dont", "look", "now"), ()),
        ("1,000 Days", ("1", "000", "1000", "days"), ()),
        ("3:10 to Yuma", ("3", "10", "310", "yuma"), ("to",)),
        ("Alien\u00b3", ("alien", "3", "alien3"), ()),
        ("\uff21\uff4c\uff49\uff45\uff4e", ("alien",), ()),
        ("wait...what", ("wait", "what"), ()),
        ("...", ("u002eu002eu002e",), ()),
        ("", (), ()),
    ],
)
def test_a_query_is_split_as_people_read_it(
    text: str, content: tuple[str, ...], stop: tuple[str, ...]
) -> None:
    words = split_query(text)
    assert (words.content, words.stop) == (content, stop)


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("Spider-Man", ("spider", "man")),
        ("The Thing", ("thing",)),
        ("They", ("they",)),
        ("Don't", ("dont",)),
        ("...", ("u002eu002eu002e",)),
    ],
)
def test_typed_words_are_without_joined_forms_and_expansion(text: str, typed: tuple[str, ...]) -> None:
    words = split_query(text, ("more",))
    assert words.typed == typed
    assert words.content[-1] == "more"
