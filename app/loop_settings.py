"""Settings of the loop that keeps learning: how often, on how much, and what a release must prove."""

from typing import Literal

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
    gate_hours: float = Field(
        24,
        ge=1,
        le=336,
        description="Hours of the newest pages that training leaves out, and that the gate judges a release "
        "on.",
    )
    gate_known_items: int = Field(
        50,
        ge=0,
        description="Queries of each kind for known titles that a new release must answer as well as BM25; "
        "0: none.",
    )
    gate_drift: bool = Field(
        True, description="Whether strong drift of features or scores since a release learned refuses it."
    )
    loop_min_traffic: int = Field(
        60,
        ge=1,
        description="Requests of the last hour from which on a new release is tried in the shadow and on "
        "viewers before it is promoted.",
    )
    shadow_share: float = Field(
        0.1, ge=0, le=1, description="Share of requests that a release in the shadow ranks, too."
    )
    shadow_requests: int = Field(
        200, ge=0, description="Requests that a release ranks in the shadow before viewers get it; 0: none."
    )
    shadow_hours: float = Field(
        2, gt=0, description="Hours after which the shadow ends, also with fewer requests."
    )
    canary_share: float = Field(
        0.1, gt=0, lt=1, description="Share of viewers that a canary serves, always the same ones."
    )
    canary_hours: float = Field(
        24,
        ge=0,
        description="Hours after which a canary without a verdict ends; 0: there is no canary.",
    )
    canary_viewer_minutes: float = Field(
        60, gt=0, description="Minutes from a viewer's first page on in which a canary is judged by them."
    )
    canary_margin: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Share of watch time and clicks that a canary may lose.",
    )
    canary_undecided: Literal["promote", "refuse"] = Field(
        "promote",
        description="What follows a canary that ends without a verdict: promote (no harm seen) or refuse.",
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
