"""What keeps the pages safe: no foreign scripts, and no posts from foreign pages."""

from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Response, abort, request

CONTENT_SECURITY_POLICY = "; ".join((
    "default-src 'none'", "style-src 'self'", "font-src 'self'", "img-src 'self' https: data:",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
))  # fmt: skip
"""No scripts at all. Pictures may come from a catalogue's own image host."""


SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def reject_cross_site_request() -> None:
    """Stops what another site's page sends. Browsers say where it comes from; other clients need not."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    if (site is not None and site not in ("same-origin", "none")) or (site is None and foreign):
        abort(HTTPStatus.FORBIDDEN, "this was sent by a page of another site; only our own page may")


def restrict_to_local(address: str, default: str) -> str:
    """An address of this site only: a redirect to another one is a gift to whoever phishes."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return default
    is_local = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if is_local else default


def add_security_headers(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response
