"""The words that a search is extended with: other forms of a numeral, completions, synonyms.

They are added to what is searched for by words, on every engine. They never replace what was typed.
"""

from collections.abc import Sequence

from reelrank.ranking.items.names.title_keys import NUMBER_WORDS, ROMAN_NUMERALS
from reelrank.ranking.items.spelling.synonyms import Synonyms
from reelrank.ranking.items.spelling.vocabulary import Vocabulary

MIN_COMPLETED = 3
"""Letters of a last word that is completed: shorter ones begin too many words."""
MAX_COMPLETIONS = 3
"""Completions of a half-typed word, the most frequent: each is one more word that is searched for."""


def expand(words: Sequence[str], vocabulary: Vocabulary, synonyms: Synonyms) -> tuple[str, ...]:
    """Returns the words to search for beside the folded words of a query.

    The last word is completed if no item holds it. A numeral at the end of a query ("rocky two") has other
    forms: elsewhere it is a word like others.
    """
    if not words:
        return ()
    added = [*_list_completions(words[-1], vocabulary), *synonyms.expand(words)]
    if len(words) > 1:
        added += NUMERALS.get(words[-1], ())
    return tuple(dict.fromkeys(word for word in added if word not in words))


def _list_completions(word: str, vocabulary: Vocabulary) -> list[str]:
    if len(word) < MIN_COMPLETED or vocabulary.count([word])[0]:
        return []
    return vocabulary.complete(word, MAX_COMPLETIONS)


def _build_numerals() -> dict[str, tuple[str, ...]]:
    """Returns the other forms of each numeral from 1 to 10; a single letter is no form of one."""
    forms = dict[str, list[str]]()
    for word, digit in (*ROMAN_NUMERALS.items(), *NUMBER_WORDS.items()):
        forms.setdefault(digit, [digit]).append(word)
    forms = {
        digit: [form for form in group if form.isdigit() or len(form) > 1] for digit, group in forms.items()
    }
    return {form: tuple(f for f in group if f != form) for group in forms.values() for form in group}


NUMERALS = _build_numerals()
