"""Films without a picture are drawn as typographic posters: colour from the genre, layout from the id."""

import zlib
from dataclasses import dataclass

from index_mappings.item import Item

GENRE_COLOURS = {
    "action": "ember", "adventure": "dune", "animation": "candy", "biography": "bronze", "comedy": "sun",
    "crime": "noir", "documentary": "slate", "drama": "wine", "family": "meadow", "fantasy": "violet",
    "history": "bronze", "horror": "blood", "music": "candy", "musical": "candy", "mystery": "dusk",
    "romance": "rose", "sci-fi": "cosmos", "short": "slate", "sport": "meadow", "thriller": "petrol",
    "war": "moss", "western": "dune",
}  # fmt: skip
"""A colour name of style.css for each genre of the demo; others get one by their name's hash."""
COLOURS = tuple(dict.fromkeys(GENRE_COLOURS.values()))
TELLING = ("horror", "sci-fi", "western", "animation", "fantasy", "war", "romance", "crime", "comedy")
"""Of several genres the first of these decides: it says more than drama or action."""
LAYOUTS = 6
LONG_TITLE, LONGER_TITLE = 18, 34
LONG_WORD, LONGER_WORD = 8, 12
"""Letters above which a title is set smaller, so that no word is broken."""


@dataclass(frozen=True, slots=True)
class Poster:
    """Class names of style.css, and the lines set on the poster."""

    classes: str
    title: str
    above: str
    below: str


def poster_of(item: Item) -> Poster:
    """The same for the same item, everywhere and always."""
    mark = zlib.crc32(item.id.encode())
    people = item.people[0] if item.people else ""
    year = str(item.year or "")
    classes = f"poster {_colour(item)} layout-{mark % LAYOUTS} {_size(item.title)}"
    return Poster(classes, item.title, people, year or item.language)


def _size(title: str) -> str:
    longest = max(map(len, title.replace("-", " ").split()), default=0)
    if len(title) > LONGER_TITLE or longest > LONGER_WORD:
        return "longer"
    return "long" if len(title) > LONG_TITLE or longest > LONG_WORD else "short"


def _colour(item: Item) -> str:
    genres = [genre.casefold() for genre in item.genres]
    main = next((genre for genre in TELLING if genre in genres), genres[0] if genres else item.title)
    return GENRE_COLOURS.get(main, COLOURS[zlib.crc32(main.encode()) % len(COLOURS)])
