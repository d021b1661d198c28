"""Highlights what a search matched in the items that are shown, whatever engine found them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from reelrank.app.search.lexical.tokens import Token, split_tokens, stem_words
from reelrank.app.search.page import Fragment, Highlight, Page
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.text import STOP_WORDS, fold_text
from reelrank.ranking.items.names.title_keys import canonicalize_title, compact_title, split_words

MAX_DESCRIPTION = 4_000
"""Characters of a description that are looked through."""
SNIPPET = 160
"""Characters of a snippet, about two lines of a card."""
LEAD = 40
"""Characters of a snippet before its first match."""
MIN_BEGINNING = 3
"""Letters of the last word from which words that begin with it are highlighted, if it is half typed."""


@dataclass(frozen=True, slots=True)
class SearchedWords:
    """What to look for. stems: of the typed and the corrected words. joined: two typed words as one.

    keys: canonical forms of the whole texts. last: the last word, which may be half typed. roots: a text
    without any of them in its compact form has no match; looking for them is faster than reading words.
    """

    stems: frozenset[str]
    joined: frozenset[str]
    keys: frozenset[str]
    last: str
    roots: frozenset[str]
    longest: int


def read_searched_words(texts: Sequence[str], expansion: Sequence[str] = ()) -> SearchedWords:
    """Reads the texts of one search, as typed and as corrected, and the words that were searched beside them.

    Stop words count only among themselves.
    """
    words_of_texts = [split_words(fold_text(text)) for text in dict.fromkeys(texts)]
    words = [word for text_words in words_of_texts for word in text_words]
    content = [word for word in words if word not in STOP_WORDS] or words
    pairs = [a + b for text_words in words_of_texts for a, b in pairwise(text_words)]
    stems, joined = stem_words((*content, *expansion)), {*pairs, *content}
    last = words_of_texts[0][-1] if words_of_texts and words_of_texts[0] else ""
    return SearchedWords(
        frozenset(stems),
        frozenset(joined),
        frozenset(key for text in texts for key in (compact_title(text), canonicalize_title(text)) if key),
        last,
        frozenset(root for root in (*(stem[:-1] or stem for stem in stems), *joined, last) if root),
        max(map(len, joined), default=0),
    )


def highlight_page(page: Page) -> Page:
    """Adds a highlight to each hit of a page of a search; of other lists nothing is highlighted."""
    if page.search is None:
        return page
    outcome = page.search
    searched = read_searched_words((outcome.text, outcome.spelling), outcome.expansion)
    hits = tuple(replace(hit, highlight=highlight_item(hit.item, searched)) for hit in page.hits)
    return replace(page, hits=hits)


def highlight_item(item: Item, searched: SearchedWords) -> Highlight:
    """Returns the fragments of each field that hold a match: the whole title, names of people, a snippet."""
    fields = {
        "title": _highlight_names((item.title,), searched),
        "people": _highlight_names(item.people, searched),
        "description": _highlight_description(item.description, searched),
    }
    return {field: fragments for field, fragments in fields.items() if fragments}


def _may_match(names: Sequence[str], searched: SearchedWords) -> bool:
    compact = "".join(split_words(fold_text(" ".join(names))))
    return any(root in compact for root in searched.roots)


def _highlight_names(names: Sequence[str], searched: SearchedWords) -> tuple[Fragment, ...]:
    if not _may_match(names, searched):
        return ()
    fragments = (Fragment(name, _find_ranges(name, searched)) for name in names)
    return tuple(fragment for fragment in fragments if fragment.ranges)


def _find_ranges(name: str, searched: SearchedWords) -> tuple[tuple[int, int], ...]:
    """Returns what matches in a name: all of it, words, words that are one when typed, a half-typed word."""
    tokens = split_tokens(name)
    if not tokens:
        return ()
    if "".join(token.word for token in tokens) in searched.keys or canonicalize_title(name) in searched.keys:
        return ((tokens[0].start, tokens[-1].end),)
    found = {
        position for position, token in enumerate(tokens) if token.stem in searched.stems
    } | _find_joined(tokens, searched)
    if len(searched.last) >= MIN_BEGINNING and not any(tokens[n].word == searched.last for n in found):
        found |= {n for n, token in enumerate(tokens) if token.word.startswith(searched.last)}
    return tuple((tokens[position].start, tokens[position].end) for position in sorted(found))


def _find_joined(tokens: Sequence[Token], searched: SearchedWords) -> set[int]:
    """Returns the positions of tokens that make one word of the search together: "Spider-Man", "S.W.A.T."."""
    found, longest = set[int](), searched.longest
    for start in range(len(tokens)):
        text = ""
        for end in range(start, len(tokens)):
            text += tokens[end].word
            if len(text) > longest:
                break
            if text in searched.joined and (end > start or text not in STOP_WORDS):
                found.update(range(start, end + 1))
    return found


def _highlight_description(description: str, searched: SearchedWords) -> tuple[Fragment, ...]:
    """Returns the snippet that holds the most different words of the search."""
    text = description
    if len(text) > MAX_DESCRIPTION:
        text = " ".join(text[:MAX_DESCRIPTION].rsplit(maxsplit=1)[:1])
    if not text or not _may_match((text,), searched):
        return ()
    tokens = split_tokens(text)
    found = [token for token in tokens if token.stem in searched.stems]
    if not found:
        return ()
    first = max(found, key=lambda token: (_count_words(found, token), -token.start))
    start = 0
    if first.start > LEAD:
        start = next(token.start for token in tokens if token.start >= first.start - LEAD)
    end = len(text)
    if end > start + SNIPPET:
        ends = (token.end for token in tokens if start <= token.start and token.end <= start + SNIPPET)
        end = max(first.end, *ends)
    ranges = tuple((t.start - start, t.end - start) for t in found if start <= t.start and t.end <= end)
    return (Fragment(text[start:end], ranges, start),)


def _count_words(found: Sequence[Token], first: Token) -> int:
    """Returns how many different words a snippet shows that begins with this match."""
    return len({t.stem for t in found if first.start <= t.start and t.end <= first.start + SNIPPET - LEAD})
