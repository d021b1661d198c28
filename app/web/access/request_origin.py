"""Where a request comes from: the name that its client called, and the page that a browser sent it from."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Response, current_app, request

from reelrank.app.web.problems import RequestForbidden

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
ALLOWED_HEADERS, EXPOSED_HEADERS = "Authorization, Content-Type", "X-Request-Id, Retry-After, Server-Timing"
PREFLIGHT_S = "600"
CORS_KEY = "REELRANK_CORS_ORIGINS"
"""Of the application's configuration: the origins of the setting with this name."""
MAX_ADDRESS = 2_000
"""Characters of an address to return to: longer ones would make a header that clients do not read."""


def is_host_allowed(host: str, allowed: frozenset[str]) -> bool:
    """Returns whether the Host header names this service.

    A page of another site reaches a service on loopback by a name of its own that resolves to 127.0.0.1 (DNS
    rebinding). The browser then takes both for one site, and only the name tells them apart. An address of
    numbers is safe: no name was resolved.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if "*" in allowed or name == "localhost" or name.endswith(".localhost") or name in allowed:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def reject_cross_site_request() -> None:
    """Rejects writes that a browser sends from a page of another site. Other clients need no such headers."""
    if request.method not in SAFE_METHODS and is_cross_site():
        message = "a page of another site sent this request; send it from the pages of this service"
        raise RequestForbidden(message, code="cross_site_request")


def is_cross_site() -> bool:
    """Returns whether a browser sent the request from a page of another site that CORS does not allow."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if origin is not None and origin.lower() in current_app.config.get(CORS_KEY, ()):
        return False
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and _read_netloc(origin) != request.host


def add_cors_headers(response: Response) -> Response:
    """Lets scripts of the allowed sites read the answer. They send keys, never cookies."""
    origins = current_app.config.get(CORS_KEY, frozenset())
    if not origins:
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    if origin.lower() not in origins:
        return response
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = PREFLIGHT_S
    return response


def restrict_to_local(address: str, default: str) -> str:
    """Returns the address if it is on this site, else the default, so that no redirect helps phishing."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return default
    is_local = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if is_local and address.isprintable() and len(address) <= MAX_ADDRESS else default


def _read_netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
