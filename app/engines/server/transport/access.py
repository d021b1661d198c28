"""How a cluster is reached. Nothing secret is in a representation, so none reaches a log."""

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from urllib3.exceptions import NewConnectionError

from reelrank.index_mappings.errors import BadRequest, Unavailable


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

    def validate(self) -> None:
        """Raises BadRequest when the certificates cannot be read; clients find out at their first request."""
        if self.ca_certs is None:
            return
        try:
            ssl.create_default_context(cafile=self.ca_certs)
        except OSError as error:
            raise BadRequest(
                f"REELRANK_ENGINE_CA_CERTS: {self.ca_certs} holds no certificates that can be read ({error})"
            ) from error

    def build_headers(self) -> dict[str, str]:
        """The Authorization header; none when the cluster asks for nothing."""
        if self.api_key:
            return {"authorization": f"ApiKey {self.api_key}"}
        if self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"authorization": f"Basic {pair}"}
        return {}


class NotConnected(Unavailable):
    """There was no connection, so nothing was sent: another host may be asked whatever it is."""


def build_connection_error(product: str, reason: str, cause: object) -> Unavailable:
    """What a client says when it gets no answer, and what to do where that is known. cause: of urllib3."""
    what_to_do = (
        "; if the cluster signs its own certificates, set REELRANK_ENGINE_CA_CERTS"
        if "CERTIFICATE_VERIFY_FAILED" in reason
        else ""
    )
    kind = NotConnected if isinstance(cause, NewConnectionError) else Unavailable
    return kind(f"{product} cannot be reached: {reason}{what_to_do}")
