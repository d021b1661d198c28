"""Every setting, its default and its meaning."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

CLUSTER_DEADLINE_MS = 200
"""Each question crosses a network, and a cluster has other work."""


class Settings(BaseSettings):
    """From the environment (REELRANK_ and the name) or from the file `reelrank.env`; environment first."""

    model_config = SettingsConfigDict(
        env_prefix="REELRANK_", env_file="reelrank.env", extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        Path("reelrank-data"), description="Where the index, tables, models, page log and reports are kept."
    )
    engine: Literal["embedded", "elasticsearch", "opensearch"] = Field(
        "embedded",
        description="Which search engine holds catalogue and events: embedded, elasticsearch, opensearch.",
    )
    engine_url: str = Field("", description="The cluster's address; several with commas between.")
    engine_username: str = Field("", description="User name for the cluster, with a password.")
    engine_password: SecretStr = Field(SecretStr(""), description="Password for the cluster.")
    engine_api_key: SecretStr = Field(
        SecretStr(""), description="API key for the cluster, encoded; in place of name and password."
    )
    engine_cloud_id: str = Field("", description="Elastic Cloud's cloud id; in place of an address.")
    engine_ca_certs: Path | None = Field(
        None, description="File with the certificates that the cluster's is signed by."
    )
    engine_prefix: str = Field(
        "reelrank-",
        pattern="^[a-z0-9][a-z0-9_-]*$",
        description="Begins the name of everything made on the cluster.",
    )
    engine_shards: int = Field(1, ge=1, description="Shards of a new index version on the cluster.")
    engine_replicas: str = Field(
        "0-1",
        pattern="^[0-9]+(-([0-9]+|all))?$",
        description="Replicas of a serving index version: a number, or a range that follows the nodes.",
    )
    engine_index: str = Field(
        "",
        description="An index on the cluster that somebody else makes and fills: it is read, never changed.",
    )
    engine_fields: str = Field(
        "",
        description="Its fields by ours, such as title=name,genres=categories.keyword; title must be there.",
    )
    kibana_url: str = Field(
        "http://127.0.0.1:5601", description="Kibana's address, or that of OpenSearch Dashboards."
    )
    events_refresh_ms: int = Field(
        200,
        ge=50,
        description="Milliseconds until the cluster shows new events; none is acknowledged before.",
    )
    events_keep_days: float | None = Field(
        None,
        gt=0,
        description="Days that the cluster keeps events and what dashboards read at least; None: for ever.",
    )
    events_rollover_days: float = Field(
        30,
        gt=0,
        description="Days until the cluster's events go into another backing index; each expires as a whole.",
    )
    deadline_ms: int = Field(
        80,
        ge=1,
        description="Milliseconds the candidate sources have, all together; up to half go to the viewer. "
        "On a cluster 200, where it is not stated.",
    )
    cap_bm25: int = Field(300, ge=0, description="Candidates asked of BM25; 0 turns the source off.")
    cap_text_knn: int = Field(200, ge=0, description="Candidates asked of text kNN.")
    cap_factors: int = Field(300, ge=0, description="Candidates asked of matrix factorisation.")
    cap_neighbours: int = Field(200, ge=0, description="Candidates asked of item-to-item neighbours.")
    cap_session: int = Field(150, ge=0, description="Candidates asked of session item2vec.")
    cap_recent: int = Field(100, ge=0, description="Candidates asked of recent interests.")
    cap_popular: int = Field(150, ge=0, description="Candidates taken from what is popular now.")
    cap_fresh: int = Field(100, ge=0, description="Candidates taken from what is newly published.")
    explore_slots: int = Field(
        1,
        ge=0,
        description="Places of a home page or of similar items, at most one in ten, that are drawn to learn "
        "what is liked; 0: none.",
    )
    index_keep: int = Field(
        2,
        ge=1,
        description="Index versions kept after a promotion, with those of the serving and previous release.",
    )
    releases_url: str = Field(
        "",
        description="Where the model files of releases are shared, such as s3://bucket/releases; "
        "empty: on this disk only.",
    )
    reject_share_max: float = Field(
        0.05, ge=0, le=1, description="Share of rejected rows above which a load is refused."
    )

    role: Literal["all", "candidates", "ranking"] = Field(
        "all", description="What this service does: all, candidates (lists and items), ranking (scores)."
    )
    ranking_url: str = Field("", description="Address that role candidates asks for scores.")
    ranking_timeout_ms: int = Field(
        100, ge=1, description="Milliseconds scores may take, the way there and back included."
    )
    host: str = Field("127.0.0.1", description="Address the service listens on.")
    port: int = Field(8080, ge=0, le=65535, description="Port the service listens on.")
    workers: int = Field(2, ge=1, description="Worker processes of the service.")
    threads: int = Field(4, ge=1, description="Requests a worker answers at once.")
    refresh_ms: int = Field(
        500, ge=50, description="Milliseconds between looks at what serves and what was watched."
    )
    cursor_minutes: float = Field(30, gt=0, description="Minutes a list can be paged through.")
    log_share: float = Field(
        0.1, ge=0, le=1, description="Share of requests whose whole candidate group is kept for learning."
    )
    clock: Literal["system", "simulated"] = Field(
        "system",
        description="The source of time: system, or simulated, where requests from this machine may state "
        "theirs in the header X-Reelrank-Now.",
    )
    body_bytes_max: int = Field(8_000_000, ge=1000, description="Largest request body in bytes.")
    log_format: Literal["auto", "ecs", "console"] = Field(
        "auto", description="Log lines as ECS JSON or for people; auto: for people on a terminal."
    )

    @field_validator("engine_url")
    @classmethod
    def _reject_credentials(cls, urls: str) -> str:
        if "@" in urls:
            raise ValueError("must hold no name or password; they have settings of their own")
        if any(not url.startswith(("http://", "https://")) for url in urls.split(",") if url):
            raise ValueError("each address must begin with http:// or https://")
        return urls

    @model_validator(mode="after")
    def _check_ranking_url(self) -> Self:
        if self.role == "candidates" and not self.ranking_url.startswith(("http://", "https://")):
            raise ValueError(
                "role candidates asks another service for scores; "
                "set REELRANK_RANKING_URL to its address, such as http://127.0.0.1:8090"
            )
        return self

    @model_validator(mode="after")
    def _check_foreign_index(self) -> Self:
        if self.engine_index and (self.engine == "embedded" or not self.engine_fields):
            raise ValueError(
                "REELRANK_ENGINE_INDEX is an index on a cluster: set REELRANK_ENGINE and "
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
        """Where the engine is, for a person."""
        if self.engine == "embedded":
            return str(self.engine_dir)
        return self.engine_url or "Elastic Cloud"

    @property
    def pages_dir(self) -> Path:
        return self.data_dir / "pages"

    @property
    def engine_dir(self) -> Path:
        return self.data_dir / "engine"

    @property
    def tables_dir(self) -> Path:
        return self.data_dir / "tables"

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"

    @property
    def releases_dir(self) -> Path:
        return self.data_dir / "releases"

    @property
    def loads_dir(self) -> Path:
        return self.data_dir / "loads"

    @property
    def rejects_dir(self) -> Path:
        return self.data_dir / "rejects"

    @property
    def reports_dir(self) -> Path:
        return self.data_dir / "reports"
