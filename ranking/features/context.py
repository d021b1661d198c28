"""Features of the time and place of the request, and hashed crosses of context, viewer and item."""

import sys

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.column import Column
from reelrank.ranking.features.declare import Feature, pass_through, to_nan_mask

HASH_BUCKETS = 256
"""The values of a byte."""
HASH_SEEDS = {
    "people_hashed": 1,
    "genre_x_top_genre": 2,
    "genre_x_hour": 3,
    "genre_x_weekday": 4,
    "device_x_duration": 5,
    "language_x_country": 6,
}
PART_OF_DAY_HOURS = 4
DURATION_STEP_S = 1800
FIRST_MULTIPLIER, SECOND_MULTIPLIER = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
"""Odd multipliers that spread codes over 64 bits (Knuth, TAOCP 3, 6.4)."""
MIXER = 0xFF51AFD7ED558CCD << 23 & 2**64 - 1
"""The multiplier of MurmurHash3 times 2**23: bits 33 to 40 of the product are then its highest byte."""
HIGHEST_BYTE = 7 if sys.byteorder == "little" else 0


def hash_cross(first: Column, second: Column, seed: Column, step: Column) -> Column:
    """Returns a bucket for each pair of integers, the same on every machine; NaN where either is missing.

    step: width of the ranges into which the second number is divided.
    """
    mixed = _spread_bits(first, FIRST_MULTIPLIER) ^ _spread_bits(second / step, SECOND_MULTIPLIER)
    mixed ^= _spread_bits(seed, 1)
    return _to_bucket(mixed, first + second)


def _spread_bits(column: Column, factor: int) -> NDArray[np.uint64]:
    """Spreads the bits of codes. A missing value gets any code; `_to_bucket` makes it missing again."""
    codes = column.astype(np.int64).view(np.uint64)
    codes *= np.uint64(factor)
    return codes


def _to_bucket(mixed: NDArray[np.uint64], known: Column) -> Column:
    mixed *= np.uint64(MIXER)
    bucket = to_nan_mask(known)
    bucket += mixed.view(np.uint8)[..., HIGHEST_BYTE::8]
    return bucket


def hide_in_search(column: Column, is_search: Column) -> Column:
    """Returns the column, NaN for a search: who types a title wants it at any hour."""
    return np.where(is_search == 1, np.float32(np.nan), column)


def hash_cross_of_time(
    first: Column, second: Column, is_search: Column, seed: Column, step: Column
) -> Column:
    """Returns `hash_cross` of an item and a time, NaN for a search."""
    return hide_in_search(hash_cross(first, second, seed, step), is_search)


def _declare_cross_of_time(name: str, time: str, description: str, step: float = 1) -> Feature:
    reads, constants = ("main_genre", time, "is_search"), (HASH_SEEDS[name], step)
    return Feature(name, "crosses", reads, description, hash_cross_of_time, constants=constants)


def _declare_time(name: str, description: str) -> Feature:
    return Feature(name, "time", (name, "is_search"), description, hide_in_search)


def _declare_cross(name: str, reads: tuple[str, str], description: str, step: float = 1) -> Feature:
    return Feature(name, "crosses", reads, description, hash_cross, constants=(HASH_SEEDS[name], step))


def _hash_person(person: Column) -> Column:
    return _to_bucket(_spread_bits(person, FIRST_MULTIPLIER) ^ np.uint64(HASH_SEEDS["people_hashed"]), person)


def _compute_hour_sine(hour: Column, is_search: Column) -> Column:
    return hide_in_search(np.sin(2 * np.pi * hour / 24), is_search)


def _compute_hour_cosine(hour: Column, is_search: Column) -> Column:
    return hide_in_search(np.cos(2 * np.pi * hour / 24), is_search)


CONTEXT_FEATURES = (
    Feature("people_hashed", "hashing", ("lead_person",), "Bucket of the first person named.", _hash_person),
    _declare_cross(
        "genre_x_top_genre", ("main_genre", "top_genre"), "The item's genre and the viewer's top genre."
    ),
    _declare_cross_of_time(
        "genre_x_hour",
        "hour",
        "The item's genre and the part of the day; not on searches.",
        PART_OF_DAY_HOURS,
    ),
    _declare_cross_of_time(
        "genre_x_weekday", "weekday", "The item's genre and the weekday; not on searches."
    ),
    _declare_cross(
        "device_x_duration",
        ("device", "duration_s"),
        "The device and the duration in half hours.",
        DURATION_STEP_S,
    ),
    _declare_cross("language_x_country", ("language", "country"), "The item's language and country."),
    Feature(
        "hour_sine",
        "time",
        ("hour", "is_search"),
        "Time of day on a circle, sine; not on searches.",
        _compute_hour_sine,
    ),
    Feature(
        "hour_cosine",
        "time",
        ("hour", "is_search"),
        "Time of day on a circle, cosine; not on searches.",
        _compute_hour_cosine,
    ),
    _declare_time("weekday", "Monday is 0; not on searches."),
    _declare_time("week_of_year", "ISO week, 1 to 53; not on searches."),
    _declare_time("is_holiday", "A public holiday where the request comes from; not on searches."),
    pass_through("is_search", "time", "Asked by words, not by opening the page."),
    pass_through("same_country", "location", "The item is from where the request comes from."),
)
