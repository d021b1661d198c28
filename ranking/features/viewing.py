"""The viewer and the item: affinities from the watch history, past impressions."""

import numpy as np

from ranking.features.declare import MISSING_IS_ZERO, Feature, as_observed

FEATURES = (
    Feature("log_watches", "viewer", ("watches",), "How much the viewer has watched (log).", np.log1p,
            MISSING_IS_ZERO),
    as_observed("mean_watched_share", "viewer", "How much of what they start they watch."),
    as_observed("days_since_watch", "viewer", "Days since the viewer's newest watch."),
    as_observed("genre_affinity", "affinities", "Mean weight of the item's genres in the history."),
    as_observed("genre_affinity_max", "affinities", "Weight of the item's best-liked genre."),
    as_observed("people_affinity", "affinities", "Weight of watches with the same (hashed) people."),
    as_observed("tags_affinity", "affinities", "Weight of watches with the same (hashed) tags."),
    as_observed("language_affinity", "affinities", "Share of watches in the item's language."),
    as_observed("country_affinity", "affinities", "Share of watches from the item's country."),
    as_observed("decade_affinity", "affinities", "Share of watches from the item's decade."),
    as_observed("duration_difference", "affinities", "Seconds between the item's and the usual duration."),
    as_observed("cosine_past_queries", "past queries", "The viewer's last searches and the item's text."),
    as_observed("times_shown", "past impressions", "How often this viewer was shown it.", MISSING_IS_ZERO),
    as_observed("days_since_shown", "past impressions", "Days since this viewer was last shown the item."),
)  # fmt: skip
