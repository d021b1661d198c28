"""How a cluster is reached. Nothing secret is in a representation, so none reaches a log."""

import base64
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Access:
    """urls: one for each host, without credentials in them. cloud_id stands in place of urls (Elasticsearch).

    At most one of username with password and api_key (as the server gives it, encoded).
    """

    urls: tuple[str, ...] = ()
    username: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    cloud_id: str = field(default="", repr=False)
    ca_certs: Path | None = None

    def headers(self) -> dict[str, str]:
        """The Authorization header; none when the cluster asks for nothing."""
        if self.api_key:
            return {"authorization": f"ApiKey {self.api_key}"}
        if self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"authorization": f"Basic {pair}"}
        return {}
