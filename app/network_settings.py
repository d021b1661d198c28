"""Settings of who may call the service, and of how many callers it serves at once."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode


class NetworkSettings(BaseSettings):
    """What `Settings` holds about the network."""

    host: str = Field("127.0.0.1", description="Address the service listens on.")
    port: int = Field(8080, ge=0, le=65535, description="Port the service listens on.")
    hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host names under which clients without a key reach the service, separated by commas; "
        "IP addresses and localhost always work. `*` allows every name.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Web sites whose scripts may call the API, such as https://films.example, separated by "
        "commas.",
    )
    keys_required: bool = Field(
        False,
        description="Whether every call needs an API key, also on loopback. Beyond loopback it always does.",
    )
    insecure: bool = Field(
        False, description="Whether the service may listen beyond loopback without asking for keys."
    )
    connections_per_address: int = Field(
        256,
        ge=0,
        description="Most connections of one address, such as a reverse proxy, to one worker; 0: no limit.",
    )
    key_requests_per_s: float = Field(
        0, ge=0, description="Requests a second of each API key to this machine, over 10 s; 0: no limit."
    )
    key_events_per_s: float = Field(
        0, ge=0, description="Events a second of each API key to this machine, over 10 s; 0: no limit."
    )
    answer_within_ms: int = Field(
        1000,
        ge=1,
        description="Milliseconds from the arrival of a request within which it must be answered; while a "
        "worker is busy, others are refused at once. Events are never refused.",
    )
    ranking_key: SecretStr = Field(
        SecretStr(""),
        description="Secret that role candidates sends to role ranking, at least 32 characters; the same for "
        "both.",
    )

    @field_validator("hosts", "cors_origins", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/").lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if any(not origin.startswith(("http://", "https://")) for origin in origins):
            raise ValueError("each origin must begin with http:// or https://, such as https://films.example")
        return origins

    @field_validator("ranking_key")
    @classmethod
    def _check_length(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < MIN_RANKING_KEY_LENGTH:
            raise ValueError(f"must have at least {MIN_RANKING_KEY_LENGTH} characters")
        return key


MIN_RANKING_KEY_LENGTH = 32
"""`openssl rand -hex 16` makes as many."""
