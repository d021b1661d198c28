"""Address and credentials of a cluster. `repr` shows no secret, so none can reach a log."""

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from urllib3.exceptions import NewConnectionError

from reelrank.index_mappings.errors import BadRequest, Unavailable


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach and enter a cluster.

    urls: one per host, without credentials. cloud_id replaces urls (Elastic Cloud).

    Either username and password, or api_key in the encoded form that the server returns, or neither.
    """

    urls: tuple[str, ...] = ()
    username: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    cloud_id: str = field(default="", repr=False)
    ca_certs: Path | None = None

    def validate(self) -> None:
        """Raises BadRequest if the certificates are unreadable: a client notices at its first request."""
        if self.ca_certs is None:
            return
        try:
            ssl.create_default_context(cafile=self.ca_certs)
        except OSError as error:
            raise BadRequest(
                f"REELRANK_ENGINE_CA_CERTS: no certificates can be read from {self.ca_certs} ({error}); "
                "set it to a PEM file",
                code="invalid_engine_setting",
            ) from error

    def build_headers(self) -> dict[str, str]:
        """Builds the Authorization header; no header without credentials."""
        if self.api_key:
            return {"authorization": f"ApiKey {self.api_key}"}
        if self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"authorization": f"Basic {pair}"}
        return {}


class NotConnected(Unavailable):
    """No connection was made, so nothing was sent: any request may be sent to another host."""


def build_connection_error(product: str, reason: str, cause: object) -> Unavailable:
    """Builds the error of a request without a response. cause: urllib3's exception, if any."""
    is_connected = not isinstance(cause, NewConnectionError)
    advice = "" if is_connected else "; check that it runs at REELRANK_ENGINE_URL"
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        advice = "; if the cluster uses its own certificate authority, set REELRANK_ENGINE_CA_CERTS"
    kind = Unavailable if is_connected else NotConnected
    error = kind(f"{product} cannot be reached{advice}", code="engine_unreachable")
    error.cause = reason
    return error
