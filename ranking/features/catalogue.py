"""The item alone: popularity windows, freshness, attributes."""

import numpy as np

from ranking.column import Column
from ranking.features.declare import Feature, as_observed, nan_where_missing

SMALLEST_SHARE = 1e-6
"""Below the share of one old watch in a large log; keeps the logarithm finite."""


def _log(share: Column) -> Column:
    kept: Column = share + SMALLEST_SHARE
    return np.log(kept, out=kept)


def _log_share(signal: str, window: str) -> Feature:
    words = f"Share of all watches, half-life {window} (log)."
    return Feature(f"log_{signal}", "popularity", (signal,), words, _log)


def _trend(week: Column, year: Column) -> Column:
    return np.log((week + SMALLEST_SHARE) / (year + SMALLEST_SHARE))


def _age_days(today: Column, published: Column) -> Column:
    return today - published


def _is_new(today: Column, published: Column) -> Column:
    age = _age_days(today, published)
    new: Column = ((age >= 0) & (age < 365)).astype(np.float32)
    new += nan_where_missing(age)
    return new


FEATURES = (
    _log_share("share_1d", "a day"),
    _log_share("share_7d", "a week"),
    _log_share("share_30d", "a month"),
    _log_share("share_365d", "a year"),
    Feature("trend", "popularity", ("share_7d", "share_365d"), "This week's share against this year's (log).",
            _trend),
    as_observed("click_through", "popularity", "Clicks per impression, smoothed."),
    Feature("age_days", "freshness", ("today", "published_day"), "Days since publication.", _age_days),
    Feature("is_new", "freshness", ("today", "published_day"), "Published within a year.", _is_new),
    as_observed("year", "attributes", "Year of publication."),
    as_observed("duration_s", "attributes", "Duration in seconds."),
    as_observed("genre_count", "attributes", "How many genres it has."),
)  # fmt: skip
