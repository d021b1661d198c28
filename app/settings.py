"""Every setting with its default and its meaning."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from reelrank.app.data_directories import DataDirectories
from reelrank.app.exploration_settings import ExplorationSettings
from reelrank.app.loop_settings import LoopSettings
from reelrank.app.network_settings import NetworkSettings
from reelrank.ranking.labels.grades import Label
from reelrank.ranking.training.position_bias import PositionBias

CLUSTER_DEADLINE_MS = 200
"""Longer than for the embedded engine: requests cross a network, and a cluster has other work."""


class Settings(DataDirectories, NetworkSettings, LoopSettings, ExplorationSettings):
    """Settings from the environment (REELRANK_ and the name), else from the file `reelrank.env`."""

    model_config = SettingsConfigDict(
        env_prefix="REELRANK_", env_file="reelrank.env", extra="ignore", hide_input_in_errors=True
    )

    engine: Literal["embedded", "elasticsearch", "opensearch"] = Field(
        "embedded",
        description="Search engine for catalogue and events: embedded, elasticsearch or opensearch.",
    )
    engine_url: str = Field("", description="Address of the cluster; separate several with commas.")
    engine_username: str = Field("", description="User name for the cluster; needs a password.")
    engine_password: SecretStr = Field(SecretStr(""), description="Password for the cluster.")
    engine_api_key: SecretStr = Field(
        SecretStr(""), description="Encoded API key for the cluster, instead of user name and password."
    )
    engine_cloud_id: str = Field("", description="Cloud id of Elastic Cloud, instead of an address.")
    engine_ca_certs: Path | None = Field(
        None, description="File with the CA certificates that sign the certificate of the cluster."
    )
    engine_prefix: str = Field(
        "reelrank-",
        pattern="^[a-z0-9][a-z0-9_-]*$",
        description="Prefix of every index, alias and stream that reelrank creates on the cluster.",
    )
    engine_shards: int = Field(1, ge=1, description="Number of shards of a new index version on the cluster.")
    engine_replicas: str = Field(
        "0-1",
        pattern="^[0-9]+(-([0-9]+|all))?$",
        description="Replicas of a serving index version: a number, or a range that follows the nodes.",
    )
    engine_index: str = Field(
        "",
        description="An existing index on the cluster to search, read-only.",
    )
    engine_fields: str = Field(
        "",
        description="Fields of that index by item field, such as title=name,genres=categories.keyword; "
        "title is required.",
    )
    kibana_url: str = Field(
        "http://127.0.0.1:5601", description="Address of Kibana or OpenSearch Dashboards."
    )
    events_refresh_ms: int = Field(
        200,
        ge=50,
        description="Milliseconds until new events are visible on the cluster, and acknowledged.",
    )
    events_keep_days: float | None = Field(
        None,
        gt=0,
        description="Minimum days for which events are kept, and on a cluster dashboard data; "
        "None: for ever.",
    )
    events_rollover_days: float = Field(
        30,
        gt=0,
        description="Days after which events go into a new backing index on the cluster; "
        "each index expires as a whole.",
    )
    deadline_ms: int = Field(
        80,
        ge=1,
        description="Milliseconds for viewer lookup (at most half) and candidate sources of a request; "
        "while no source has answered, as many again. The default on a cluster is 200.",
    )
    synonyms: Path | None = Field(
        None, description="File of synonyms that searches are extended with; docs/search.md has the format."
    )
    cap_title: int = Field(
        50,
        ge=0,
        description="Maximum candidates whose title or person a search names; 0 turns it off.",
    )
    cap_bm25: int = Field(300, ge=0, description="Maximum candidates from BM25; 0 turns the source off.")
    cap_text_knn: int = Field(200, ge=0, description="Maximum candidates from text kNN.")
    cap_factors: int = Field(300, ge=0, description="Maximum candidates from matrix factorisation.")
    cap_neighbours: int = Field(200, ge=0, description="Maximum candidates from item-to-item neighbours.")
    cap_session: int = Field(150, ge=0, description="Maximum candidates from session item2vec.")
    cap_recent: int = Field(100, ge=0, description="Maximum candidates similar to recently watched items.")
    cap_popular: int = Field(150, ge=0, description="Maximum candidates that are popular now.")
    cap_fresh: int = Field(100, ge=0, description="Maximum candidates that are newly published.")
    popular_half_life_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="Days after which a watch counts half in the `popular` source, the nearest of 1, 7, 30, "
        "365 and 3650; unless it is set, a training run chooses it.",
    )
    diversity: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How much a home page avoids items that are similar to those above them, 0 to 1; 0 turns "
        "it off.",
    )
    weight_lambdarank: float = Field(
        1.0, ge=0, le=1000, description="Weight of the LambdaRank model where two models are blended."
    )
    weight_pointwise: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="Weight of the pointwise model, blended with LambdaRank by log-odds; above 0 a training "
        "run makes both models; 0 turns blending off.",
    )
    label: Label = Field(
        Label.WATCHED_SHARE,
        description="What a watch teaches: watched_share, duration_corrected, completion or played.",
    )
    position_bias: PositionBias = Field(
        PositionBias.NONE,
        description="How training on logged pages corrects for positions: none, position (LightGBM learns "
        "the bias of each) or propensity (weights from exploration slots).",
    )
    tuning_seconds: float = Field(
        0,
        ge=0,
        description="CPU seconds in which a training run chooses parameters of LightGBM by cross-validation; "
        "0 trains with the defaults.",
    )
    training_rows: int = Field(
        1_000_000,
        ge=1000,
        description="Maximum rows of logged pages that a model learns from: whole requests, sampled.",
    )
    training_cache_mb: int = Field(
        4096,
        ge=0,
        description="Most megabytes on disk for rows of logged pages that the next training run reads again.",
    )
    index_keep: int = Field(
        2,
        ge=1,
        description="Index versions kept after a promotion, with those of the serving and previous release.",
    )
    releases_url: str = Field(
        "",
        description="Shared storage for the model files of releases, such as s3://bucket/releases; "
        "empty: this disk only.",
    )
    reject_share_max: float = Field(
        0.05, ge=0, le=1, description="Share of rejected rows above which a load is rejected."
    )

    role: Literal["all", "candidates", "ranking"] = Field(
        "all", description="Role of this service: all, candidates (lists and items) or ranking (scores)."
    )
    ranking_url: str = Field("", description="Address of the ranking service, for role candidates.")
    ranking_timeout_ms: int = Field(
        100, ge=1, description="Milliseconds for a request to the ranking service, network included."
    )
    workers: int = Field(2, ge=1, description="Worker processes of the service.")
    threads: int = Field(4, ge=1, description="Concurrent requests per worker.")
    refresh_ms: int = Field(
        500, ge=50, description="Milliseconds between checks for a new release and new events."
    )
    cursor_minutes: float = Field(
        30, gt=0, description="Minutes for which the next pages of a list can be requested."
    )
    log_share: float = Field(
        0.1, ge=0, le=1, description="Share of requests whose candidates are all logged for training."
    )
    clock: Literal["system", "simulated"] = Field(
        "system",
        description="Source of time: system, or simulated, where requests from this machine may set the time "
        "in the header X-Reelrank-Now.",
    )
    lake_keep_days: float | None = Field(
        None, gt=0, description="Days for which the lake keeps a date; None: for ever."
    )
    body_bytes_max: int = Field(8_000_000, ge=1000, description="Largest request body in bytes.")
    log_format: Literal["auto", "ecs", "console"] = Field(
        "auto",
        description="Format of log lines: ecs (JSON), console (for people) or auto (console on a terminal).",
    )

    @field_validator("engine_url")
    @classmethod
    def _reject_credentials(cls, urls: str) -> str:
        if "@" in urls:
            raise ValueError(
                "must not contain a user name or password; set REELRANK_ENGINE_USERNAME and "
                "REELRANK_ENGINE_PASSWORD"
            )
        if any(not url.startswith(("http://", "https://")) for url in urls.split(",") if url):
            raise ValueError("each address must begin with http:// or https://")
        return urls

    @model_validator(mode="after")
    def _check_ranking_url(self) -> Self:
        if self.role == "candidates" and not self.ranking_url.startswith(("http://", "https://")):
            raise ValueError(
                "role candidates needs a ranking service; "
                "set REELRANK_RANKING_URL to its address, such as http://127.0.0.1:8090"
            )
        return self

    @model_validator(mode="after")
    def _check_foreign_index(self) -> Self:
        if self.engine_index and (self.engine == "embedded" or not self.engine_fields):
            raise ValueError(
                "REELRANK_ENGINE_INDEX names an index on a cluster: set REELRANK_ENGINE and "
                "REELRANK_ENGINE_FIELDS, such as title=name, too"
            )
        return self

    @model_validator(mode="after")
    def _apply_cluster_deadline(self) -> Self:
        if self.engine != "embedded" and "deadline_ms" not in self.model_fields_set:
            self.deadline_ms = CLUSTER_DEADLINE_MS
        return self

    @property
    def engine_urls(self) -> tuple[str, ...]:
        return tuple(url.strip() for url in self.engine_url.split(",") if url.strip())

    @property
    def engine_location(self) -> str:
        """Returns the location of the engine, to display."""
        if self.engine == "embedded":
            return str(self.engine_dir)
        return self.engine_url or "Elastic Cloud"
