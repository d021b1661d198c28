"""The security headers of every answer, also of those that never reach the application."""

from flask import Response

PAGE_POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "connect-src 'self'", "style-src 'self'", "font-src 'self'",
    "img-src 'self' https: data:", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
))  # fmt: skip
"""Allows static files of this service as scripts, nothing inline. Pictures may come from the image host of a
catalogue."""
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""Of answers that are no pages."""
SWAGGER_POLICY = (
    PAGE_POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")
    .replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
)  # fmt: skip
"""flask-openapi's page has scripts and styles inline; it shows nothing that a client wrote."""
SWAGGER_PREFIX = "/openapi/"
HTML = "text/html"

HEADERS = {
    "Content-Security-Policy": DATA_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def add_security_headers(path: str, response: Response) -> Response:
    """Adds the headers, with the policy of the kind of answer."""
    if response.mimetype == HTML:
        policy = SWAGGER_POLICY if path.startswith(SWAGGER_PREFIX) else PAGE_POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
