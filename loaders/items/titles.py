"""Titles as MovieLens writes them: the year at the end, and the article after the name."""

import re
from datetime import UTC, datetime

from reelrank.loaders.fields.survey import TITLE_YEAR

ARTICLES = (
    "The", "A", "An", "Le", "La", "Les", "L'", "Un", "Une", "El", "Los", "Las", "Una", "Il", "Lo", "I", "Gli",
    "Der", "Die", "Das", "Ein", "Eine", "Den", "Det", "De", "Het", "O", "Os", "As", "Um", "Uma",
)  # fmt: skip
"""In the languages of the titles of MovieLens: English, French, Spanish, Italian, German, Danish, Dutch and
Portuguese."""
INVERTED = re.compile(
    rf"(?<![^()])(?P<name>[^()]+), (?P<article>{'|'.join(ARTICLES)})(?P<end>\s*(?=\(|\)|$))"
)


def split_year(title: str) -> tuple[str, datetime | None]:
    """Returns "Matrix, The (1999)" as "The Matrix" and the first day of 1999; None without a year."""
    found = TITLE_YEAR.search(title)
    if found is None:
        return title, None
    name = INVERTED.sub(_move_article, title[: found.start()]).strip()
    return (name, datetime(int(found[1]), 1, 1, tzinfo=UTC)) if name else (title, None)


def _move_article(match: re.Match[str]) -> str:
    space = "" if match["article"].endswith("'") else " "
    return f"{match['article']}{space}{match['name'].strip()}{match['end']}"
