"""A typed query read against the titles and names of the catalogue: what it names, and how it is spelt."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.names.people_index import NO_ROWS, Rows
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_keys import make_keys, split_number, split_year
from reelrank.ranking.items.names.typed_people import (
    NOBODY,
    TypedPeople,
    find_by_part,
    find_of_year,
    find_siblings,
    find_together,
    find_whole_name,
)
from reelrank.ranking.items.spelling.allowed_edits import MIN_CORRECTED, find_shortest_corrected
from reelrank.ranking.items.spelling.expansion import expand
from reelrank.ranking.items.spelling.synonyms import NO_SYNONYMS, Synonyms


@dataclass(frozen=True, slots=True, eq=False)
class TypedQuery:
    """What a query names. spelling: the query, with misspelt words corrected.

    searched: what of the spelling is searched for by words, where that is not all.
    titles: rows whose whole title it is, or its initials. people: whose whole name it is, or surname or first
    name, or several of them; or, in the same way, the items of a genre and years. beginnings: rows whose
    title begins with it, shortest first. series: rows whose title is or begins with what it says before a
    number.
    homonyms: rows of items where a word of it is a name that it does not mean.
    expansion: words to search for beside it.
    """

    spelling: str
    titles: Rows = field(default_factory=lambda: NO_ROWS)
    people: TypedPeople = NOBODY
    beginnings: Rows = field(default_factory=lambda: NO_ROWS)
    series: Rows = field(default_factory=lambda: NO_ROWS)
    homonyms: Rows = field(default_factory=lambda: NO_ROWS)
    expansion: tuple[str, ...] = ()
    searched: str = ""

    @property
    def names_anything(self) -> bool:
        return len(self.titles) + len(self.people) + len(self.beginnings) + len(self.series) > 0


def read_query(
    index: TitleIndex,
    text: str,
    year: NDArray[np.int16],
    limit: int,
    synonyms: Synonyms = NO_SYNONYMS,
) -> TypedQuery:
    """Reads a query of any length; year: of each row of the catalogue. limit: most beginnings.

    The query is taken as it is if it names anything. Else a half-typed last word is completed if that names
    something. Else the first spelling is taken that names something, else the first that begins a title, else
    the nearest correction of its unknown words. A known word that is replaced is searched for too.
    """
    typed = _read_spelling(index, text, year, limit, synonyms)
    words = make_keys(typed.spelling).words
    expansion, homonyms = expand(words, index.vocabulary, synonyms), _find_homonyms(index, words)
    replaced = [word for word in make_keys(text).words if word not in words]
    known = [word for word, count in zip(replaced, index.count_words(replaced), strict=True) if count]
    return replace(typed, expansion=tuple(dict.fromkeys((*known, *expansion))), homonyms=homonyms)


def _read_spelling(
    index: TitleIndex, text: str, year: NDArray[np.int16], limit: int, synonyms: Synonyms
) -> TypedQuery:
    if (named := _read_names(index, text, year, limit)) is not None:
        return named
    words = make_keys(text).words
    corrections = index.correct(words, find_shortest_corrected(len(words)), synonyms.words)
    if (half_typed := _read_half_typed(index, words, corrections, year, limit)) is not None:
        return half_typed
    spellings = [*corrections, *([] if _is_named_part(index, words) else index.respell(words))]
    for position in np.flatnonzero(
        index.find_names([make_keys(spelling) for spelling in spellings])
    ).tolist():
        if (named := _read_names(index, spellings[position], year, limit)) is not None:
            return _add_half_typed(index, named, text, limit)
    if len(titles := index.find_acronym(make_keys(text))):
        return TypedQuery(text, titles)
    for spelling in (text, *corrections):
        if (begun := _read_beginnings(index, spelling, year, limit)).names_anything:
            return begun
    spelling = _correct_long_words(index, text, words, corrections)
    people = find_by_part(index, make_keys(spelling))
    people = people if len(people) else find_together(index, make_keys(spelling).words)
    return TypedQuery(spelling, people=people)


def _is_named_part(index: TitleIndex, words: Sequence[str]) -> bool:
    """Returns whether one word alone is a part of a title or of a name: "gump" is no misspelt "grump"."""
    if len(words) != 1:
        return False
    return bool(index.vocabulary.count_titles(words)[0]) or bool(
        len(index.credits.find_namesakes(make_keys(words[0])))
    )


def _add_half_typed(index: TitleIndex, named: TypedQuery, text: str, limit: int) -> TypedQuery:
    """Adds the titles that begin with what was typed, if its correction is only longer: "termina" may become
    Terminal or Terminator."""
    typed = make_keys(text)
    if not make_keys(named.spelling).compact.startswith(typed.compact):
        return named
    return replace(named, spelling=text, beginnings=index.find_beginnings(typed, limit))


def _read_half_typed(
    index: TitleIndex, words: Sequence[str], corrections: Sequence[str], year: NDArray[np.int16], limit: int
) -> TypedQuery | None:
    """Reads a last word that begins a known one as that, if it then names something and its corrections are
    in fewer items: "hitchc" is half of Hitchcock, no misspelt "hitch". None without corrections."""
    if not corrections or not (completed := index.vocabulary.complete(words[-1], 1)):
        return None
    corrected = [spelling.rsplit(" ", 1)[-1] for spelling in corrections]
    if index.count_words(completed)[0] <= index.count_words([*corrected, words[-1]]).max():
        return None
    spelling = " ".join((*words[:-1], *completed))
    if (named := _read_names(index, spelling, year, limit)) is not None:
        return named
    people = find_by_part(index, make_keys(spelling))
    return TypedQuery(spelling, people=people) if len(people) else None


def _read_names(index: TitleIndex, spelling: str, year: NDArray[np.int16], limit: int) -> TypedQuery | None:
    keys = make_keys(spelling)
    titles, people = index.find_titles(keys, year), TypedPeople(find_whole_name(index, keys))
    for find in (find_siblings, find_of_year) if not len(titles) else ():
        if len(named := find(index, keys)):
            return TypedQuery(spelling, people=named, beginnings=index.find_beginnings(keys, limit))
    if not len(titles) and not len(people):
        return None
    people = people if len(people) else find_by_part(index, keys)
    return TypedQuery(spelling, titles, people, index.find_beginnings(keys, limit))


def _read_beginnings(index: TitleIndex, spelling: str, year: NDArray[np.int16], limit: int) -> TypedQuery:
    """Reads a spelling as the beginning of titles, else what it says before a year or a part of a series.

    "star wars 1977" is the film of that year first, "harry potter 3" any of the series.
    """
    keys = make_keys(spelling)
    if len(beginnings := index.find_beginnings(keys, limit)):
        return TypedQuery(spelling, beginnings=beginnings)
    bare = split_year(spelling)[0] if keys.year else " ".join(split_number(keys.words))
    if not bare:
        return TypedQuery(spelling)
    bare_keys, typed_year = make_keys(bare), keys.year
    series = np.concatenate([index.find_titles(bare_keys, year), index.find_beginnings(bare_keys, limit)])
    if typed_year is not None:
        beginnings = index.find_beginnings_of(bare_keys, lambda rows: year[rows] == typed_year, limit)
    return TypedQuery(spelling, beginnings=beginnings, series=series)


def _find_homonyms(index: TitleIndex, words: Sequence[str]) -> Rows:
    """Returns the items of people whose name is rather a word of titles: "space war" means no Mr. Space.

    A word beside the rest of such a name is a name.
    """
    found = [NO_ROWS]
    if len(words) > 1:
        counts = index.vocabulary.count_titles(words)
        for position in np.flatnonzero(counts).tolist():
            people = index.credits.find_rare_name(make_keys(words[position]), float(counts[position]))
            if len(people) and not _is_in_name(index, words, position):
                found.append(people)
    return np.concatenate(found)


def _is_in_name(index: TitleIndex, words: Sequence[str], position: int) -> bool:
    texts = [" ".join(words[first : first + 2]) for first in (position - 1, position) if first >= 0]
    return any(len(index.credits.find(make_keys(text))) for text in texts)


def _correct_long_words(
    index: TitleIndex, text: str, words: Sequence[str], corrections: Sequence[str]
) -> str:
    """Returns the first correction with short words as typed, which have too many neighbours, and a last word
    as typed that begins a known one: it is half typed.
    """
    if not corrections:
        return text
    pairs = zip(words, corrections[0].split(" "), strict=True)
    spelling = [word if len(word) < MIN_CORRECTED else corrected for word, corrected in pairs]
    if index.vocabulary.complete(words[-1], 1):
        spelling[-1] = words[-1]
    return text if spelling == list(words) else " ".join(spelling)
