"""Checks every request before its endpoint: key and scope, host, site of origin, CSRF token."""

from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from flask import Flask, Response, g, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from reelrank.app.access.api_keys import ApiKey
from reelrank.app.web.access.key_limits import LIMITS_KEY, count_request
from reelrank.app.web.access.request_origin import (
    CORS_KEY,
    SAFE_METHODS,
    add_cors_headers,
    is_host_allowed,
    reject_cross_site_request,
)
from reelrank.app.web.access.route_scopes import RouteScope, find_scope
from reelrank.app.web.access.rules import AccessRules
from reelrank.app.web.access.security_headers import add_security_headers
from reelrank.app.web.access.sessions import check_csrf_token, find_session_key, start_sessions
from reelrank.app.web.hidden_paths import mask_viewer
from reelrank.app.web.problems import RequestForbidden, build_problem

FORM_BLUEPRINTS = frozenset({"actions", "login", "operations"})
"""What they do on POST needs a CSRF token, and a session is enough for it."""
PAGE_BLUEPRINTS = FORM_BLUEPRINTS | {"pages", "experiment_pages"}
PROBES = ("/livez", "/readyz")
"""They disclose nothing, and a health probe may call the service by any host name."""
AUTHENTICATE = 'Bearer realm="reelrank"'


def protect(app: Flask, rules: AccessRules) -> None:
    """Applies the rules to every request, and the security headers to every answer."""
    app.config[CORS_KEY] = rules.cors_origins
    app.config[LIMITS_KEY] = rules.limits
    start_sessions(app, rules.session_secret)
    app.before_request(partial(check_request, rules))
    app.after_request(partial(record_admin_call, rules))
    app.after_request(add_cors_headers)
    app.after_request(lambda response: add_security_headers(request.path, response))


def check_request(rules: AccessRules) -> AnyResponse | None:
    """Returns the answer to a request without a valid key. Raises RequestForbidden.

    Addresses that do not exist answer 404 to everyone.
    """
    if request.url_rule is None or request.method == "OPTIONS":
        return None
    sent = _authenticate_header(rules)
    if sent is None and request.path not in PROBES and not is_host_allowed(request.host, rules.hosts):
        message = f"the host {request.host[:100]!r} is not allowed; add its name to REELRANK_HOSTS"
        raise RequestForbidden(message, code="host_not_allowed")
    reject_cross_site_request()
    scope = find_scope(request.method, request.url_rule.rule)
    answer = _check_scope(rules, scope, sent) if rules.authenticator is not None else None
    if answer is None and request.method not in SAFE_METHODS and request.blueprint in FORM_BLUEPRINTS:
        check_csrf_token()
    return answer


def record_admin_call(rules: AccessRules, response: Response) -> Response:
    """Writes a call that needs the scope `admin`, and whose key is valid, to the audit log."""
    key: ApiKey | None = g.get("api_key")
    if rules.audit is not None and key is not None and g.get("scope") == "admin":
        call = f"{request.method} {mask_viewer(request.path)}"
        client = request.remote_addr or ""
        rules.audit.record(key.key_id, call, str(response.status_code), client, g.get("request_id", ""))
    return response


def _authenticate_header(rules: AccessRules) -> ApiKey | None:
    """Returns the key in the Authorization header; None without a valid one."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if rules.authenticator is None or kind.lower() != "bearer":
        return None
    return rules.authenticator.authenticate(text.strip())


def _check_scope(rules: AccessRules, scope: RouteScope, sent: ApiKey | None) -> AnyResponse | None:
    if scope == "public":
        return None
    is_page = request.blueprint in PAGE_BLUEPRINTS
    if sent is None and (is_page or request.method in SAFE_METHODS or _is_script_of_a_page(scope)):
        sent = find_session_key(rules)
    if sent is None:
        return _ask_for_key(is_page)
    g.api_key, g.scope = sent, scope
    if not sent.allows(scope):
        message = f"the key {sent.key_id} has no scope `{scope}`; use a key that was created with it"
        raise RequestForbidden(message, code="scope_missing")
    count_request()
    return None


def _is_script_of_a_page(scope: RouteScope) -> bool:
    """Returns whether a browser states that a page of this service sends events, such as what was seen."""
    return scope == "events" and request.headers.get("Origin", "").partition("://")[2] == request.host


def _ask_for_key(is_page: bool) -> AnyResponse:
    if is_page:
        back = request.full_path.rstrip("?") if request.method in SAFE_METHODS else "/"
        return redirect(f"/login?back={quote(back)}", HTTPStatus.SEE_OTHER)
    given = "Authorization" in request.headers
    reason = "the key in the header `Authorization` is not valid" if given else "this call needs an API key"
    answer = build_problem("key_required", f"{reason}; send `Authorization: Bearer rr_...`")
    answer.headers["WWW-Authenticate"] = AUTHENTICATE
    return answer
