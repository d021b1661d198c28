"""Features of the item alone: popularity windows, freshness, attributes."""

import numpy as np

from reelrank.ranking.column import Column
from reelrank.ranking.features.declare import Feature, pass_through, to_nan_mask

SMALLEST_SHARE = 1e-6
"""Below the share of one old watch in a large log; keeps the logarithm finite."""


def _compute_log(share: Column) -> Column:
    raised: Column = share + SMALLEST_SHARE
    return np.log(raised, out=raised)


def _declare_log_share(signal: str, window: str) -> Feature:
    description = f"Share of all watches, half-life {window} (log)."
    return Feature(f"log_{signal}", "popularity", (signal,), description, _compute_log)


def _compute_trend(week: Column, year: Column) -> Column:
    return np.log((week + SMALLEST_SHARE) / (year + SMALLEST_SHARE))


def _compute_age_days(today: Column, published: Column) -> Column:
    return today - published


def _flag_new(today: Column, published: Column) -> Column:
    age = _compute_age_days(today, published)
    new: Column = ((age >= 0) & (age < 365)).astype(np.float32)
    new += to_nan_mask(age)
    return new


ITEM_FEATURES = (
    _declare_log_share("share_1d", "a day"),
    _declare_log_share("share_7d", "a week"),
    _declare_log_share("share_30d", "a month"),
    _declare_log_share("share_365d", "a year"),
    _declare_log_share("share_3650d", "ten years"),
    Feature(
        "trend",
        "popularity",
        ("share_7d", "share_365d"),
        "This week's share against this year's (log).",
        _compute_trend,
    ),
    pass_through("click_through", "popularity", "Clicks per impression, smoothed."),
    Feature(
        "age_days", "freshness", ("today", "published_day"), "Days since publication.", _compute_age_days
    ),
    Feature("is_new", "freshness", ("today", "published_day"), "Published within a year.", _flag_new),
    pass_through("year", "attributes", "Year of publication."),
    pass_through("duration_s", "attributes", "Duration in seconds."),
    pass_through("genre_count", "attributes", "How many genres it has."),
)
