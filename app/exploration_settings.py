"""Settings of exploration slots: how many there are, and how their items are picked."""

from pydantic import Field
from pydantic_settings import BaseSettings


class ExplorationSettings(BaseSettings):
    """What `Settings` holds about positions that show items picked at random."""

    explore_slots: int = Field(
        1,
        ge=0,
        description="Exploration slots on a home or similar-items page, at most one in ten hits; 0 for none.",
    )
    similar_exploration_slots: int = Field(
        10, ge=0, description="Maximum exploration slots on a similar-items page; 0 explores home pages only."
    )
    contextual_exploration: bool = Field(
        True,
        description="Whether picks of exploration slots depend on the page: on how far down the ranking has "
        "an item, and on how new it is; False: on uses alone.",
    )
    random_exploration_share: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Share of viewers and days whose exploration slots show any item of the pool alike "
        "often: the reference bucket.",
    )
