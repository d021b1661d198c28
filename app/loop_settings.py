"""Settings of the loop that keeps learning: how often, on how much, and what a release must prove."""

from pydantic import Field
from pydantic_settings import BaseSettings


class LoopSettings(BaseSettings):
    """What `Settings` holds about `reelrank loop`."""

    loop_interval_minutes: float = Field(
        240,
        gt=0,
        description="Minutes between runs of `reelrank loop`; a longer run delays the next.",
    )
    loop_min_requests: int = Field(
        100,
        ge=1,
        description="New logged requests that led to a play from which on `reelrank loop` trains again.",
    )
    gate_margin: float = Field(
        0.02, gt=0, le=1, description="NDCG@10 on the newest requests that a new release may lose at most."
    )
    gate_known_items: int = Field(
        50,
        ge=0,
        description="Queries of each kind for known titles that a new release must answer as well as BM25; "
        "0: none.",
    )
    gate_drift: bool = Field(
        True, description="Whether strong drift of features since a release learned refuses it."
    )
    watch_hours: float = Field(
        4, ge=0, description="Hours for which a promoted release is watched; 0: it is not watched."
    )
    watch_loss: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Share of watch time or clicks per viewer that a promoted release may lose before it is "
        "rolled back.",
    )
