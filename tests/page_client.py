"""A client of the pages that sends the CSRF token of its session, as the forms of a page do."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reelrank.app.web.access.sessions import CSRF_FIELD

TOKEN = "token-of-this-session"


class PageClient(FlaskClient):
    """Fills the hidden field of every form that it sends, unless the test states one."""

    def post(self, *args: Any, **kwargs: Any) -> TestResponse:
        data = kwargs.get("data")
        if isinstance(data, dict) and CSRF_FIELD not in data:
            with self.session_transaction() as session:
                token = session.setdefault(CSRF_FIELD, TOKEN)
            kwargs["data"] = {**data, CSRF_FIELD: token}
        return super().post(*args, **kwargs)


def open_pages(app: Flask) -> PageClient:
    app.test_client_class = PageClient
    client = app.test_client()
    assert isinstance(client, PageClient)
    return client
