"""The page that begins a session with an API key, and the button that ends it."""

from http import HTTPStatus

from flask import Blueprint, Response, make_response, redirect, render_template, request

from reelrank.app.web.access.request_origin import restrict_to_local
from reelrank.app.web.access.rules import AccessRules
from reelrank.app.web.access.sessions import log_in, log_out
from reelrank.app.web.pages.person import ViewerProfile

MAX_KEY_LENGTH = 100


def create_login_blueprint(rules: AccessRules) -> Blueprint:
    """Creates /login and /logout. Where calls need no key, /login leads home."""
    blueprint = Blueprint("login", __name__, template_folder="../templates")

    @blueprint.get("/login")
    def show_login() -> Response:
        if rules.authenticator is None:
            return make_response(redirect("/", HTTPStatus.SEE_OTHER))
        return _render(is_wrong=False)

    @blueprint.post("/login")
    def send_key() -> Response:
        if rules.authenticator is None:
            return make_response(redirect("/", HTTPStatus.SEE_OTHER))
        key = rules.authenticator.authenticate(request.form.get("key", "")[:MAX_KEY_LENGTH].strip())
        if key is None or not key.allows("read"):
            return _render(is_wrong=True)
        log_in(key, rules.now())
        return make_response(
            redirect(restrict_to_local(request.form.get("back", "/"), "/"), HTTPStatus.SEE_OTHER)
        )

    @blueprint.post("/logout")
    def end_session() -> Response:
        log_out()
        return make_response(redirect("/login", HTTPStatus.SEE_OTHER))

    return blueprint


def _render(is_wrong: bool) -> Response:
    back = restrict_to_local(request.values.get("back", "/"), "/")
    page = render_template("login.html", viewer=ViewerProfile(""), is_wrong=is_wrong, back=back)
    return make_response(page, HTTPStatus.FORBIDDEN if is_wrong else HTTPStatus.OK)
