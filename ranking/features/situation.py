"""The time and place of the request, and crosses of it and of the viewer with the item (hashed)."""

import numpy as np

from ranking.column import Column
from ranking.features.declare import Columns, Feature, as_observed, hashed_cross

HASH_BUCKETS = 256
HASH_SEEDS = {
    "people_hashed": 1, "genre_x_top_genre": 2, "genre_x_hour": 3, "genre_x_weekday": 4,
    "device_x_duration": 5, "language_x_country": 6,
}  # fmt: skip
PART_OF_DAY_HOURS = 4
DURATION_STEP_S = 1800


def _cross(name: str, reads: tuple[str, str], words: str, step: tuple[float, float] = (1, 1)) -> Feature:
    def derive(s: Columns) -> Column:
        first, second = (
            s[name] if size == 1 else np.floor(s[name] / np.float32(size))
            for name, size in zip(reads, step, strict=True)
        )
        return hashed_cross(first, second, HASH_BUCKETS, HASH_SEEDS[name])

    return Feature(name, "crosses", reads, words, derive)


def _hour_sine(s: Columns) -> Column:
    return np.sin(2 * np.pi * s["hour"] / 24)


def _hour_cosine(s: Columns) -> Column:
    return np.cos(2 * np.pi * s["hour"] / 24)


def _person(s: Columns) -> Column:
    return hashed_cross(s["lead_person"], s["lead_person"] * 0, HASH_BUCKETS, HASH_SEEDS["people_hashed"])


FEATURES = (
    Feature("people_hashed", "hashing", ("lead_person",), "Bucket of the first person named.", _person),
    _cross("genre_x_top_genre", ("main_genre", "top_genre"), "The item's genre and the viewer's top genre."),
    _cross("genre_x_hour", ("main_genre", "hour"), "The item's genre and the part of the day.",
           (1, PART_OF_DAY_HOURS)),
    _cross("genre_x_weekday", ("main_genre", "weekday"), "The item's genre and the weekday."),
    _cross("device_x_duration", ("device", "duration_s"), "The device and the duration in half hours.",
           (1, DURATION_STEP_S)),
    _cross("language_x_country", ("language", "country"), "The item's language and country."),
    Feature("hour_sine", "time", ("hour",), "Time of day on a circle, sine.", _hour_sine),
    Feature("hour_cosine", "time", ("hour",), "Time of day on a circle, cosine.", _hour_cosine),
    as_observed("weekday", "time", "Monday is 0."),
    as_observed("week_of_year", "time", "ISO week, 1 to 53."),
    as_observed("is_holiday", "time", "A public holiday where the request comes from."),
    as_observed("is_search", "time", "Asked by words, not by opening the page."),
    as_observed("same_country", "location", "The item is from where the request comes from."),
)  # fmt: skip
