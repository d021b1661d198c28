"""The item alone: popularity windows, freshness, attributes."""

import numpy as np

from ranking.column import Column
from ranking.features.declare import Columns, Feature, as_observed, nan_where_missing

SMALLEST_SHARE = 1e-6
"""Below the share of one old watch in a large log; keeps the logarithm finite."""


def _log_share(signal: str, window: str) -> Feature:
    def derive(s: Columns) -> Column:
        return np.asarray(np.log(s[signal] + SMALLEST_SHARE), np.float32)

    words = f"Share of all watches, half-life {window} (log)."
    return Feature(f"log_{signal}", "popularity", (signal,), words, derive)


def _trend(s: Columns) -> Column:
    return np.log((s["share_7d"] + SMALLEST_SHARE) / (s["share_365d"] + SMALLEST_SHARE))


def _age_days(s: Columns) -> Column:
    return s["today"] - s["published_day"]


def _is_new(s: Columns) -> Column:
    age = _age_days(s)
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
