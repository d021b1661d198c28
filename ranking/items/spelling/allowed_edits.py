"""How many typos a word may have: from which length it is corrected, and with how many edits.

An edit inserts, deletes or replaces a letter, or transposes two neighbours. The first letter counts as right.
"""

MIN_CORRECTED = 4
"""Letters of a word from which a misspelling is looked for; a shorter word has too many neighbours."""
MIN_CORRECTED_BESIDE_OTHERS = 3
"""Letters of a word that is corrected if the whole query then names or begins a title or names a person."""
MIN_TWICE = 8
"""Letters of a word from which a second edit is looked for. Elasticsearch's AUTO allows it from six letters,
but there every known word is a neighbour; here the word is unknown, and a shorter one has too many."""
MAX_EDITS = 2
"""Most edits of a misspelt word."""
MAX_CORRECTED_WORDS = 8
"""Words of a query that are corrected, the first ones: about 0.2 ms each in a vocabulary of 400,000 words."""


def count_allowed_edits(word: str, most: int = MAX_EDITS) -> int:
    """Returns how many edits a word may have, at most `most`. The caller skips words that are too short."""
    return min(most, 2 if len(word) >= MIN_TWICE else 1)


def find_shortest_corrected(words: int) -> int:
    """Returns the letters from which a word of a query of so many words is corrected."""
    return MIN_CORRECTED if words == 1 else MIN_CORRECTED_BESIDE_OTHERS
