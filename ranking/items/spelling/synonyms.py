"""Synonyms: words that a search is extended with, from a file in the format of Solr and Elasticsearch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.text import fold_text
from reelrank.ranking.items.names.title_keys import split_words

Phrase = tuple[str, ...]
ARROW = "=>"


class SynonymError(ValueError):
    """A line of a synonyms file that cannot be read; the message has its number and says why."""


@dataclass(frozen=True, slots=True)
class Synonyms:
    """Phrases that stand for each other.

    phrases: folded words to the phrases that they are extended with. longest: words of the longest key.

    words: those of all keys, which are spelt right though no item may hold them.
    """

    phrases: Mapping[Phrase, tuple[Phrase, ...]] = field(default_factory=dict)
    longest: int = 0
    words: frozenset[str] = frozenset()

    def expand(self, words: Sequence[str]) -> list[str]:
        """Returns the words that the synonyms of every phrase in `words` add, without repeats."""
        added = dict[str, None]()
        for start in range(len(words)):
            for end in range(start + 1, min(start + self.longest, len(words)) + 1):
                for phrase in self.phrases.get(tuple(words[start:end]), ()):
                    added.update(dict.fromkeys(phrase))
        return [word for word in added if word not in words]


NO_SYNONYMS = Synonyms()


def parse_synonyms(text: str) -> Synonyms:
    """Parses lines such as `film, movie` (each finds the other) and `sci fi => science fiction` (one way).

    A # begins a comment. Case, accents and punctuation of words do not count. Raises SynonymError.
    """
    phrases = dict[Phrase, dict[Phrase, None]]()
    for number, line in enumerate(text.splitlines(), start=1):
        rule = line.partition("#")[0].strip()
        if not rule:
            continue
        for source, targets in _parse_rule(rule, number):
            phrases.setdefault(source, {}).update(dict.fromkeys(targets))
    return Synonyms(
        {source: tuple(targets) for source, targets in phrases.items()},
        max(map(len, phrases), default=0),
        frozenset(word for phrase in phrases for word in phrase),
    )


def _parse_rule(rule: str, number: int) -> list[tuple[Phrase, list[Phrase]]]:
    sides = [_parse_phrases(side, number) for side in rule.split(ARROW)]
    if len(sides) > 2:
        raise SynonymError(f"line {number}: more than one {ARROW}; write a, b {ARROW} c")
    if len(sides) == 2:
        return [(source, sides[1]) for source in sides[0]]
    if len(sides[0]) < 2:
        raise SynonymError(f"line {number}: one word has no synonym; write a, b or a {ARROW} b")
    return [(source, [other for other in sides[0] if other != source]) for source in sides[0]]


def _parse_phrases(side: str, number: int) -> list[Phrase]:
    phrases = [tuple(split_words(fold_text(part))) for part in side.split(",")]
    if not all(phrases):
        raise SynonymError(f"line {number}: a word is missing beside a comma or {ARROW}")
    return phrases


def read_synonyms(file: Path | None) -> Synonyms:
    """Reads the file of synonyms, if there is one. Raises BadRequest with the line that is wrong."""
    if file is None:
        return NO_SYNONYMS
    try:
        return parse_synonyms(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BadRequest(f"REELRANK_SYNONYMS={file}: {error}", code="invalid_synonyms") from error
