"""The limits of the gate: what a new release must reach, each with the reason for its number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateLimits:
    """Thresholds of the checks.

    margin: NDCG@10 that a release may lose, at most, against the serving one. min_requests, min_viewers: of
    the newest requests that led to a play; fewer say nothing about the order. data_share: of the training
    requests of the serving release, the least that a new one learned from. calibration: the largest factor
    between stated and observed plays. missing_share: of a feature that learning never saw. leak_auc,
    leak_gain_share: a single feature that orders the requests so well alone, and that the model relies on so
    much, has seen the answer. vector_cosine: between a vector as learned and as indexed. score_ms: CPU time
    to score `score_rows` rows. model_bytes: of the model file. known_items_margin: success@1 that it may
    lose, at most, against BM25.
    """

    margin: float = 0.02
    min_requests: int = 100
    min_viewers: int = 30
    data_share: float = 0.5
    calibration: float = 2.0
    missing_share: float = 0.99
    leak_auc: float = 0.9
    leak_gain_share: float = 0.5
    vector_cosine: float = 0.99
    score_rows: int = 1000
    score_ms: float = 25.0
    model_bytes: int = 64_000_000
    known_items_margin: float = 0.02
