"""Security of the pages: no scripts but our own files, and no writes from pages of other sites."""

from urllib.parse import urlsplit

from flask import Response, request

from reelrank.app.web.problems import RequestForbidden

CONTENT_SECURITY_POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "connect-src 'self'", "style-src 'self'", "font-src 'self'",
    "img-src 'self' https: data:", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
))  # fmt: skip
"""Allows static files of this service as scripts, nothing inline. Pictures may come from the image host of a
catalogue."""

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def reject_cross_site_request() -> None:
    """Rejects writes that a browser sends from a page of another site. Other clients need no such headers."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.host
    if (site is not None and site not in ("same-origin", "none")) or (site is None and is_foreign):
        message = "a page of another site sent this request; send it from the pages of this service"
        raise RequestForbidden(message, code="cross_site_request")


def restrict_to_local(address: str, default: str) -> str:
    """Returns the address if it is on this site, else the default, so that no redirect helps phishing."""
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
