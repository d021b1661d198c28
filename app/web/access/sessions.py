"""Sessions of the pages: a signed cookie with the viewer, a CSRF token, and the key that logged in."""

import hmac
import secrets
from datetime import datetime, timedelta

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface
from markupsafe import Markup

from reelrank.app.access.api_keys import ApiKey
from reelrank.app.web.access.rules import AccessRules
from reelrank.app.web.problems import RequestForbidden

COOKIE = "reelrank_session"
SESSION_LIFETIME = timedelta(days=365)
"""A browser remembers its viewer for a year."""
LOGIN_LIFETIME = timedelta(days=7)
CSRF_FIELD = "csrf_token"
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class SessionInterface(SecureCookieSessionInterface):
    """Flask's signed cookie, sent back over TLS only when it came over TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def start_sessions(app: Flask, secret: bytes) -> None:
    """Gives pages a session, and templates `csrf_field()` for their forms."""
    app.secret_key = secret
    app.session_interface = SessionInterface()
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
    )
    app.jinja_env.globals.update(csrf_field=build_csrf_field, is_logged_in=is_logged_in)


def build_csrf_field() -> Markup:
    """Builds the hidden field that proves that a page of this service holds the form."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, read_csrf_token())


def read_csrf_token() -> str:
    """Returns the token of this session, which begins with it."""
    if not isinstance(session.get(CSRF_FIELD), str):
        session.permanent = True
        session[CSRF_FIELD] = secrets.token_urlsafe(32)
    token: str = session[CSRF_FIELD]
    return token


def check_csrf_token() -> None:
    """Raises RequestForbidden unless the form has the token of its session."""
    expected, sent = session.get(CSRF_FIELD), request.form.get(CSRF_FIELD, "")
    if not isinstance(expected, str) or not hmac.compare_digest(expected.encode(), sent.encode()):
        message = "the form is from another session, or cookies are off; load the page again and repeat it"
        raise RequestForbidden(message, code="csrf_token_invalid")


def log_in(key: ApiKey, now: datetime) -> None:
    """Begins a session of a key, with a new CSRF token; the viewer stays."""
    viewer = session.get("viewer")
    session.clear()
    session.permanent = True
    session.update({"key": key.key_id, "salt": key.salt, "login_s": int(now.timestamp())})
    if isinstance(viewer, str):
        session["viewer"] = viewer


def log_out() -> None:
    session.clear()


def is_logged_in() -> bool:
    """Returns whether the session began with a key, for the button that ends it."""
    return "key" in session


def find_session_key(rules: AccessRules) -> ApiKey | None:
    """Returns the key that logged in; None when it was revoked or rotated, or the login is too old."""
    key_id, login_s = session.get("key"), session.get("login_s")
    if rules.authenticator is None or not isinstance(key_id, str) or not isinstance(login_s, int):
        return None
    age_s = rules.now().timestamp() - login_s
    key = rules.authenticator.find(key_id)
    is_valid = key is not None and key.salt == session.get("salt") and age_s < LOGIN_LIFETIME.total_seconds()
    return key if is_valid else None
