"""Typographic posters for films: colour by genre, layout by id."""

import re
import zlib
from dataclasses import dataclass

from reelrank.index_mappings.item import Item

GENRE_COLOURS = {
    "action": "ember", "adventure": "dune", "animation": "candy", "biography": "bronze", "comedy": "sun",
    "crime": "noir", "documentary": "slate", "drama": "wine", "family": "meadow", "fantasy": "violet",
    "history": "bronze", "horror": "blood", "music": "candy", "musical": "candy", "mystery": "dusk",
    "romance": "rose", "sci-fi": "cosmos", "short": "slate", "sport": "meadow", "thriller": "petrol",
    "war": "moss", "western": "dune",
}  # fmt: skip
"""Colour class of style.css by genre of the demo; other genres get one by the hash of their name."""
COLOURS = tuple(dict.fromkeys(GENRE_COLOURS.values()))
DECISIVE_GENRES = ("horror", "sci-fi", "western", "animation", "fantasy", "war", "romance", "crime", "comedy")
"""The first of these that a film has decides its colour: it says more than drama does."""
LAYOUTS = ("circle", "stripes", "diagonal", "frame", "moon", "arcs", "letter", "year", "dots")
YEAR_LAYOUT = "year"
FONT_SIZES = (8, 10, 12, 14, 17, 20, 24)
"""Font sizes of style.css, in hundredths of the poster's width."""
LETTER_WIDTH, LINE_WIDTH, TITLE_AREA = 0.56, 82, 6500
"""Width of a letter in font sizes; width of a line in hundredths; square of the size that fits one letter.

The area limits the title to 58 hundredths of the height, so it never overlaps the shapes above it.
"""


@dataclass(frozen=True, slots=True)
class Poster:
    """Class names of style.css and texts of a poster. initial: the letter behind some titles."""

    classes: str
    title: str
    above: str
    below: str
    initial: str


def build_poster(item: Item) -> Poster:
    """Builds the poster of an item, always the same for the same item."""
    digest = zlib.crc32(item.id.encode())
    layouts = [layout for layout in LAYOUTS if item.year or layout != YEAR_LAYOUT]
    layout = layouts[digest % len(layouts)]
    return Poster(
        " ".join(("poster", _choose_colour(item), layout, f"size-{_choose_font_size(item.title)}")),
        item.title,
        item.people[0] if item.people else "",
        str(item.year or "") or item.language,
        next((char.upper() for char in item.title.removeprefix("The ") if char.isalnum()), ""),
    )


def _choose_font_size(title: str) -> int:
    """Chooses the largest size at which the longest word fits a line and the title its area."""
    longest = max((len(word) for word in re.split(r"[\s-]+", title)), default=1)
    fits = min(LINE_WIDTH / (LETTER_WIDTH * max(longest, 1)), (TITLE_AREA / max(len(title), 1)) ** 0.5)
    return max((size for size in FONT_SIZES if size <= fits), default=FONT_SIZES[0])


def _choose_colour(item: Item) -> str:
    genres = [genre.casefold() for genre in item.genres]
    main = next((genre for genre in DECISIVE_GENRES if genre in genres), genres[0] if genres else item.title)
    return GENRE_COLOURS.get(main, COLOURS[zlib.crc32(main.encode()) % len(COLOURS)])
