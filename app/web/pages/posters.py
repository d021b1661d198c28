"""Films without a picture are drawn as typographic posters: colour from the genre, layout from the id."""

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
"""A colour name of style.css for each genre of the demo; others get one by their name's hash."""
COLOURS = tuple(dict.fromkeys(GENRE_COLOURS.values()))
DECISIVE_GENRES = ("horror", "sci-fi", "western", "animation", "fantasy", "war", "romance", "crime", "comedy")
"""Of several genres the first of these decides: it says more than drama or action."""
LAYOUTS = ("circle", "stripes", "diagonal", "frame", "moon", "arcs", "letter", "year", "dots")
YEAR_LAYOUT = "year"
FONT_SIZES = (8, 10, 12, 14, 17, 20, 24)
"""Sizes of type in style.css, in hundredths of a poster's width."""
LETTER_WIDTH, LINE_WIDTH, TITLE_AREA = 0.56, 82, 6500
"""A letter's width in sizes of type; a line's in hundredths; the square of a size that fits one letter.

The area leaves the title at most 58 hundredths of height, so it never meets what is drawn above it.
"""


@dataclass(frozen=True, slots=True)
class Poster:
    """Class names of style.css, and what is set on the poster. initial: drawn behind it by some layouts."""

    classes: str
    title: str
    above: str
    below: str
    initial: str


def build_poster(item: Item) -> Poster:
    """The same for the same item, everywhere and always."""
    mark = zlib.crc32(item.id.encode())
    layouts = [layout for layout in LAYOUTS if item.year or layout != YEAR_LAYOUT]
    return Poster(
        f"poster {_choose_colour(item)} {layouts[mark % len(layouts)]} size-{_choose_font_size(item.title)}",
        item.title,
        item.people[0] if item.people else "",
        str(item.year or "") or item.language,
        next((sign.upper() for sign in item.title.removeprefix("The ") if sign.isalnum()), ""),
    )


def _choose_font_size(title: str) -> int:
    """The largest size at which the longest word fits a line and the title its part of the poster."""
    longest = max((len(word) for word in re.split(r"[\s-]+", title)), default=1)
    fits = min(LINE_WIDTH / (LETTER_WIDTH * max(longest, 1)), (TITLE_AREA / max(len(title), 1)) ** 0.5)
    return max((size for size in FONT_SIZES if size <= fits), default=FONT_SIZES[0])


def _choose_colour(item: Item) -> str:
    genres = [genre.casefold() for genre in item.genres]
    main = next((genre for genre in DECISIVE_GENRES if genre in genres), genres[0] if genres else item.title)
    return GENRE_COLOURS.get(main, COLOURS[zlib.crc32(main.encode()) % len(COLOURS)])
