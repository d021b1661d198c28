"""Viewers over HTTP: who may read and erase them, what is answered, and what logs and the audit log hold."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from flask.testing import FlaskClient

from reelrank.app.access.audit_log import AuditLog
from reelrank.app.access.authenticator import KeyAuthenticator
from reelrank.app.access.key_store import KeyStore
from reelrank.app.privacy_wiring import build_viewer_eraser
from reelrank.app.web.access.rules import AccessRules
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, build_user_keys, warm_service
from tests.sample_project import build_project

USER = "u1"
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    return KeyStore(tmp_path_factory.mktemp("keys") / "keys", lambda: NOW)


@pytest.fixture(scope="module")
def client(parts: Container, store: KeyStore) -> Iterator[FlaskClient]:
    service = warm_service(parts)
    rules = AccessRules(KeyAuthenticator(store, 0), audit=AuditLog(store.directory, lambda: NOW))
    eraser = build_viewer_eraser(parts, service.result_cache)
    options = WebOptions(1_000_000, parts.settings.reports_dir, rules, eraser)
    yield create_app(service, options).test_client()


def bearer(store: KeyStore, scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {store.create('test', [scope])[1]}"}  # type: ignore[list-item]


@pytest.mark.parametrize("scope", ["read", "events", "write"])
def test_a_viewer_is_read_and_erased_with_the_scope_admin_only(
    client: FlaskClient, store: KeyStore, scope: str
) -> None:
    key = bearer(store, scope)
    answers = [client.get(f"/v1/users/{USER}", headers=key), client.delete(f"/v1/users/{USER}", headers=key)]
    assert [answer.get_json()["code"] for answer in answers] == ["scope_missing"] * 2


def test_an_erased_viewer_is_unknown_at_once_and_has_a_receipt(
    client: FlaskClient, store: KeyStore, parts: Container
) -> None:
    key = bearer(store, "admin")
    assert len(client.get(f"/v1/users/{USER}", headers=key).get_json()["watched"]) == 6
    answer = client.delete(f"/v1/users/{USER}", headers=key)
    assert (answer.status_code, answer.get_json()["status"]) == (202, "running")
    assert answer.get_json()["removed"]["events"] == 6
    assert client.get(f"/v1/users/{USER}", headers=key).get_json()["watched"] == []
    receipt = client.get(answer.headers["Location"], headers=key)
    assert receipt.get_json() == answer.get_json()
    unknown = client.get("/v1/erasures/nothing", headers=key)
    assert (unknown.status_code, unknown.get_json()["code"]) == (404, "erasure_unknown")


def test_neither_log_names_a_viewer(client: FlaskClient, store: KeyStore, parts: Container) -> None:
    with structlog.testing.capture_logs() as lines:
        client.get("/v1/users/u-secret-2", headers=bearer(store, "admin"))
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["url.path"], "u-secret" in str(lines)) == ("/v1/users/{user_id}", False)
    assert line["user.hash"] == build_user_keys(parts.settings).find_key("u-secret-2")
    assert Path(store.directory, "audit.jsonl").read_text().count("GET /v1/users/{user_id}") >= 1
    assert "u-secret" not in Path(store.directory, "audit.jsonl").read_text()


@pytest.mark.parametrize("user", ["a\nb", "\n", "ends\n", "\r\n", "a/b\n/c", "\0", "\u202eb"])
def test_every_viewer_that_events_name_is_read_and_erased(
    client: FlaskClient, store: KeyStore, user: str
) -> None:
    key = bearer(store, "admin")
    event = {"kind": "watch", "user": user, "item": "sea1", "id": f"of-{user.encode().hex()}"}
    assert client.post("/v1/events", json=event, headers=key | bearer(store, "events")).status_code == 200
    address = f"/v1/users/{quote(user, safe='')}"
    read = client.get(address, headers=key)
    assert (read.status_code, read.get_json()["watched"]) == (200, ["sea1"])
    assert client.delete(address, headers=key).status_code == 202
    assert client.get(address, headers=key).get_json()["watched"] == []


@pytest.mark.parametrize(
    "address",
    [
        "/V1/users/u-secret",
        "/v1/user/u-secret",
        "//v1/users/u-secret",
        "/users/a%0Au-secret",
        "/v1/Users/u-secret/x",
    ],
)
def test_the_log_of_a_misspelt_address_names_no_viewer(
    client: FlaskClient, store: KeyStore, address: str
) -> None:
    with structlog.testing.capture_logs() as lines:
        client.get(address, headers=bearer(store, "admin"))
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["url.path"].lower().endswith(("/users/{user_id}", "/user/{user_id}"))
    assert "u-secret" not in str(lines)
