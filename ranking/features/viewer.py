"""Features of the viewer and of viewer and item: affinities, rejections, past queries, impressions.

They are formulas over the signals that `ranking/signals/viewer.py` observes."""

import numpy as np

from reelrank.ranking.features.declare import MISSING_IS_ZERO, Feature, pass_through


def _declare_rejection(signal: str, description: str) -> Feature:
    """Declares a feature of items that the viewer left early or disliked: it may only lower a score.

    People skip most in the genres that they watch most, so a model left alone would learn the opposite.
    """
    return pass_through(signal, "rejections", description, direction=-1)


VIEWER_FEATURES = (
    Feature(
        "log_watches",
        "viewer",
        ("watches",),
        "How much the viewer has watched (log).",
        np.log1p,
        MISSING_IS_ZERO,
    ),
    pass_through("mean_watched_share", "viewer", "How much of what they start they watch."),
    pass_through("days_since_watch", "viewer", "Days since the viewer's newest watch."),
    pass_through("genre_affinity", "affinities", "Mean weight of the item's genres in the history."),
    pass_through("genre_affinity_max", "affinities", "Weight of the item's best-liked genre."),
    pass_through("people_affinity", "affinities", "Weight of watches with the same (hashed) people."),
    pass_through("tags_affinity", "affinities", "Weight of watches with the same (hashed) tags."),
    pass_through("language_affinity", "affinities", "Share of watches in the item's language."),
    pass_through("country_affinity", "affinities", "Share of watches from the item's country."),
    pass_through("decade_affinity", "affinities", "Share of watches from the item's decade."),
    pass_through("duration_difference", "affinities", "Seconds between the item's and the usual duration."),
    _declare_rejection("nearest_rejected", "Text: the nearest of the ten newest rejected items."),
    _declare_rejection("cosine_rejected", "Matrix factorisation: rejected items and the item."),
    _declare_rejection("rejected_genre_share", "Share of rejected items in the item's most rejected genre."),
    pass_through("cosine_past_queries", "past queries", "The viewer's last searches and the item's text."),
    pass_through("times_shown", "past impressions", "How often this viewer was shown it.", MISSING_IS_ZERO),
    pass_through("days_since_shown", "past impressions", "Days since this viewer was last shown the item."),
)
