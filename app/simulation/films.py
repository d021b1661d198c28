"""The truth about films: factors, appeal and length, drawn from the seed, the id and the genres.

The truth of a film depends on its id and genres only. So any catalogue can be served, and a film that is
first seen on a page has the same truth in every run of a seed.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS, MINUTE_MS

DIMENSIONS = 8
"""Factors of a taste. A choice: few enough that a week of clicks can show them."""
GENRE_SHARE = 0.6
"""How much of a film's factors its genres say; the rest is its own. A choice."""
APPEAL_DEVIATION = 0.6
"""Standard deviation of the appeal to everybody, in log odds of a click. A choice."""
MEAN_MINUTES, MINUTES_DEVIATION = 100, 20
"""Length of a film that states none."""
GENRES = ("Drama", "Comedy", "Horror", "Action", "Romance", "Crime", "Fantasy", "Documentary")
"""Genres of made-up films."""

Factors = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Film:
    """What a film states. published_ms: when it came out, None where that is not known."""

    id: str
    genres: tuple[str, ...] = ()
    duration_ms: int | None = None
    published_ms: int | None = None


def normalise(vectors: Factors) -> Factors:
    """Returns the vectors [..., d] with length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def create_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Creates a generator of its own for each seed and name, independent of what was drawn before."""
    keys = [name if isinstance(name, int) else zlib.crc32(name.encode()) for name in names]
    return np.random.default_rng([seed, *keys])


class Films:
    """Films by row, in the order in which they were added.

    factors [n, DIMENSIONS]: of length 1. appeal [n]: to everybody, in log odds. duration_ms [n].
    published_ms [n]: far in the past where it is not known.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rows: dict[str, int] = {}
        self._genres: dict[str, Factors] = {}
        self.films: list[Film] = []
        self.factors = np.empty((0, DIMENSIONS))
        self.appeal = np.empty(0)
        self.duration_ms = np.empty(0)
        self.published_ms = np.empty(0)

    def __len__(self) -> int:
        return len(self.films)

    def add(self, films: Sequence[Film]) -> Rows:
        """Returns the rows of films; those that are not known yet get theirs."""
        new = list({film.id: film for film in films if film.id not in self._rows}.values())
        if new:
            self._append(new)
        return np.array([self._rows[film.id] for film in films], np.intp)

    def _append(self, films: Sequence[Film]) -> None:
        drawn = [self._draw(film) for film in films]
        self.factors = np.concatenate([self.factors, [factors for factors, _, _ in drawn]])
        self.appeal = np.append(self.appeal, [appeal for _, appeal, _ in drawn])
        self.duration_ms = np.append(self.duration_ms, [duration for _, _, duration in drawn])
        self.published_ms = np.append(self.published_ms, [film.published_ms or -DAY_MS for film in films])
        self._rows |= {film.id: len(self.films) + n for n, film in enumerate(films)}
        self.films += films

    def _draw(self, film: Film) -> tuple[Factors, float, float]:
        rng = create_generator(self._seed, "film", film.id)
        own, appeal = normalise(rng.normal(size=DIMENSIONS)), rng.normal(0, APPEAL_DEVIATION)
        minutes = max(rng.normal(MEAN_MINUTES, MINUTES_DEVIATION), 5)
        factors = own
        if film.genres:
            genres = normalise(np.mean([self._draw_genre(genre) for genre in film.genres], axis=0))
            factors = normalise(GENRE_SHARE * genres + (1 - GENRE_SHARE) * own)
        return factors, float(appeal), float(film.duration_ms or minutes * MINUTE_MS)

    def _draw_genre(self, genre: str) -> Factors:
        if genre not in self._genres:
            rng = create_generator(self._seed, "genre", genre)
            self._genres[genre] = normalise(rng.normal(size=DIMENSIONS))
        return self._genres[genre]


def make_films(seed: int, prefix: str, count: int, published_ms: int) -> list[Film]:
    """Makes up films with one or two genres that come out at one time."""
    rng = create_generator(seed, "new films", prefix)
    return [
        Film(
            f"{prefix}-{n}",
            tuple(rng.choice(GENRES, rng.integers(1, 3), replace=False).tolist()),
            round(max(rng.normal(MEAN_MINUTES, MINUTES_DEVIATION), 5) * MINUTE_MS),
            published_ms,
        )
        for n in range(count)
    ]
