"""Who may send which request: scopes, hosts, sessions and forms, CORS, and headers of every answer."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reelrank.app.access.audit_log import AuditLog
from reelrank.app.access.authenticator import KeyAuthenticator, RankingKey
from reelrank.app.access.key_store import KeyStore
from reelrank.app.privacy_wiring import build_viewer_eraser
from reelrank.app.state.model_cache import ServedModels
from reelrank.app.web.access.request_origin import is_host_allowed
from reelrank.app.web.access.route_scopes import ROUTE_SCOPES
from reelrank.app.web.access.rules import AccessRules
from reelrank.app.web.access.security_headers import HEADERS
from reelrank.app.web.api.scores import create_score_api
from reelrank.app.web.application import WebOptions, create_app, create_ranking_app
from reelrank.app.web.ops.overview import Operations
from reelrank.app.wiring import Container, build_models, build_release_manager, warm_service
from reelrank.ranking.registry.decisions import FileHistory
from tests.page_client import open_pages
from tests.sample_project import build_project

CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
SITE = "https://films.example"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC))


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys", lambda: datetime.now(UTC))


@pytest.fixture
def rules(store: KeyStore) -> AccessRules:
    audit = AuditLog(store.directory, lambda: datetime.now(UTC))
    return AccessRules(
        KeyAuthenticator(store, 0), frozenset({"films.example"}), frozenset({SITE}), b"s" * 32, audit
    )


@pytest.fixture(scope="module")
def open_app(parts: Container) -> Iterator[Flask]:
    yield build_app(parts, AccessRules(cors_origins=frozenset({SITE})))


@pytest.fixture
def app(parts: Container, rules: AccessRules) -> Flask:
    return build_app(parts, rules)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def build_app(parts: Container, rules: AccessRules) -> Flask:
    service = warm_service(parts)
    eraser = build_viewer_eraser(parts, service.result_cache)
    reports_dir = parts.settings.reports_dir
    history = FileHistory(parts.settings.loop_dir)
    operations = Operations(build_release_manager(parts), history, reports_dir, parts.settings.loads_dir)
    options = WebOptions(1_000_000, reports_dir, rules, eraser, operations, parts.experiments)
    app = create_app(service, options)
    assert isinstance(service.refresher.models, ServedModels)
    app.register_api(create_score_api(service.refresher.models))
    return app


def bearer(store: KeyStore, *scopes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {store.create('test', scopes)[1]}"}


def list_routes(app: Flask) -> set[str]:
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_declares_its_scope_and_no_other_is_declared(app: Flask, parts: Container) -> None:
    assert list_routes(app) == set(ROUTE_SCOPES)
    assert list_routes(create_ranking_app(build_models(parts), 1000)) <= set(ROUTE_SCOPES)


def test_without_a_key_every_route_that_is_not_public_asks_for_one(app: Flask) -> None:
    client = open_pages(app)
    for route, scope in ROUTE_SCOPES.items():
        method, path = route.split(" ")
        answer = client.open(
            path.replace("<int:position>", "1").replace("<name:name>", "x"), method=method, data={}
        )
        is_page = path.count("/") < 2 or path.startswith(("/film", "/why", "/report", "/ops"))
        asked = answer.status_code == 401 or (is_page and "/login" in answer.headers.get("Location", ""))
        assert asked == (scope != "public"), route


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("read", (200, 403, 403, 403)), ("events", (403, 200, 403, 403)), ("write", (403, 403, 200, 403)),
     ("admin", (200, 200, 200, 200))],
)  # fmt: skip
def test_a_key_allows_what_its_scope_says(
    client: FlaskClient, store: KeyStore, scope: str, expected: tuple[int, ...]
) -> None:
    key = bearer(store, scope)
    event = {"id": f"of-{scope}", "kind": "watch", "user": "u", "item": "sea1"}
    answers = (
        client.get("/v1/search?q=story", headers=key),
        client.post("/v1/events", json=event, headers=key),
        client.patch("/v1/items/sea1", json={"tags": ["wet"]}, headers=key),
        client.post("/v1/models/engine-order:promote", headers=key),
    )
    assert tuple(answer.status_code for answer in answers) == expected
    refused = [answer.get_json()["code"] for answer in answers if answer.status_code == 403]
    assert set(refused) <= {"scope_missing"}


def test_the_operator_pages_tell_a_key_without_their_scope_so(client: FlaskClient, store: KeyStore) -> None:
    page = client.get("/ops", headers=bearer(store, "read"))
    assert (page.status_code, page.mimetype) == (403, "text/html")
    assert "has no scope `admin`" in page.text
    assert client.get("/ops", headers=bearer(store, "admin")).status_code == 200


@pytest.mark.parametrize("address", ["/ops", "/ops/experiments", "/ops/experiments/x"])
def test_operator_pages_lead_to_the_login(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/login?back={address}")


def test_the_answer_to_a_wrong_key_says_how_to_send_one(client: FlaskClient) -> None:
    answer = client.get("/v1/users/u0", headers={"Authorization": "Bearer rr_nothing"})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "key_required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "rr_nothing" not in answer.text


def test_admin_calls_are_in_the_audit_log_also_refused_ones(client: FlaskClient, store: KeyStore) -> None:
    for key in (bearer(store, "admin"), bearer(store, "read")):
        client.post("/v1/models/engine-order:promote", headers=key)
    client.post("/v1/models/engine-order:promote")
    entries = AuditLog(store.directory, lambda: datetime.now(UTC)).read(10)
    ids = [key.key_id for key in store.read()]
    assert [(entry.key_id, entry.result) for entry in entries] == [(ids[1], "403"), (ids[0], "200")]
    assert {entry.call for entry in entries} == {"POST /v1/models/engine-order:promote"}


def test_role_ranking_answers_only_its_own_key(parts: Container) -> None:
    client = create_ranking_app(build_models(parts), 1000, AccessRules(RankingKey("s" * 32))).test_client()
    right, wrong = {"Authorization": f"Bearer {'s' * 32}"}, {"Authorization": f"Bearer {'t' * 32}"}
    assert client.get("/v1/score/current", headers=wrong).status_code == 401
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/score/current", headers=right).status_code == 200
    assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [("localhost:8080", True), ("127.0.0.1:8080", True), ("[::1]:8080", True), ("10.1.2.3", True),
     ("films.example:80", True), ("FILMS.example.", True), ("evil.example", False), ("", False),
     ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("films.example@x.example", False),
     ("[::1", False)],
)  # fmt: skip
def test_only_known_names_are_hosts(host: str, is_allowed: bool) -> None:
    assert is_host_allowed(host, frozenset({"films.example"})) is is_allowed


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/v1/items/sea1"), ("GET", "/v1/users/u0"), ("GET", "/")]
)
def test_a_rebound_name_reads_and_deletes_nothing(open_app: Flask, method: str, path: str) -> None:
    headers = {
        "Host": "evil.example:8080",
        "Origin": "http://evil.example:8080",
        "Sec-Fetch-Site": "same-origin",
    }
    answer = open_app.test_client().open(path, method=method, headers=headers)
    assert answer.status_code == 403
    assert "host_not_allowed" in answer.text


def test_a_key_is_proof_enough_under_any_name(client: FlaskClient, store: KeyStore) -> None:
    headers = {"Host": "reelrank-candidates:8080", **bearer(store, "read")}
    assert client.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/v1/recommendations?user=u1", "/search?q=story", "/film/sea1", "/"])
def test_what_a_page_of_another_site_requests_is_no_impression(
    parts: Container, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = warm_service(parts)
    recorded = list[object]()
    monkeypatch.setattr(service.recorder, "record", lambda *shown: recorded.append(shown))
    client = create_app(service, WebOptions(1_000_000, parts.settings.reports_dir)).test_client()
    assert client.get(path, headers=CROSS_SITE).status_code == 200
    assert client.get(path, headers={"Origin": "https://evil.example"}).status_code == 200
    assert recorded == []
    assert client.get(path, headers={"Sec-Fetch-Site": "none"}).status_code == 200
    assert recorded != []


def test_a_form_without_the_token_of_its_session_changes_nothing(open_app: Flask, parts: Container) -> None:
    before = parts.events.count()
    for token in ("", "another"):
        client = open_pages(open_app)
        client.get("/")
        answer = client.post("/watch", data={"item": "sea1", "csrf_token": token})
        assert answer.status_code == 403
        assert "csrf_token_invalid" in answer.text
    assert parts.events.count() == before


def test_a_cookie_that_the_service_did_not_sign_is_nobody(open_app: Flask) -> None:
    client = open_app.test_client()
    client.set_cookie("reelrank_session", "eyJ2aWV3ZXIiOiJ1MCJ9.aaaaaa.bbbbbbbb")
    assert "For u0" not in client.get("/").text


def test_people_log_in_with_a_key_and_stay_until_it_ends(app: Flask, store: KeyStore) -> None:
    key, text = store.create("person", ("read", "events"))
    client = open_pages(app)
    asked = client.get("/film/sea1")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/login?back=/film/sea1")
    assert client.post("/login", data={"key": "rr_wrong", "back": "/"}).status_code == 403
    assert client.post("/login", data={"key": text, "back": "/film/sea1"}).headers["Location"] == "/film/sea1"
    assert client.get("/film/sea1").status_code == 200
    assert client.get("/v1/suggest?q=sea").status_code == 200
    assert client.post("/watch", data={"item": "sea1"}).status_code == 303
    assert client.post("/v1/events", json={"kind": "watch", "user": "u", "item": "sea1"}).status_code == 401
    event = {"kind": "watch", "user": "u", "item": "sea1"}
    assert client.post("/v1/events", json=event, headers={"Origin": "http://localhost"}).status_code == 200
    assert client.post("/v1/events", json=event, headers={"Origin": "http://x.example"}).status_code == 403
    store.rotate(key.key_id)
    assert client.get("/").headers["Location"] == "/login?back=/"


def test_a_login_ends_by_itself_and_by_its_button(
    parts: Container, rules: AccessRules, store: KeyStore
) -> None:
    later = datetime.now(UTC) + timedelta(days=8)
    clock = [datetime.now(UTC)]
    client = open_pages(build_app(parts, replace(rules, now=lambda: clock[0])))
    text = store.create("person", ("read",))[1]
    client.post("/login", data={"key": text})
    assert "Log out" in client.get("/").text
    clock[0] = later
    assert client.get("/").status_code == 303
    client.post("/login", data={"key": text})
    client.post("/logout", data={})
    assert client.get("/").status_code == 303


def test_no_login_leads_to_another_site(app: Flask, store: KeyStore) -> None:
    data = {"key": store.create("person", ("read",))[1], "back": "https://evil.example"}
    assert open_pages(app).post("/login", data=data).headers["Location"] == "/"


def test_an_allowed_site_may_call_and_another_may_not(client: FlaskClient, store: KeyStore) -> None:
    key = bearer(store, "read")
    for origin, expected in ((SITE, SITE), ("https://evil.example", None)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        preflight = client.options("/v1/search", headers=headers)
        answer = client.post(
            "/v1/search", json={"q": "story"}, headers={"Origin": origin, **key} | CROSS_SITE
        )
        for each in (preflight, answer):
            assert each.headers.get("Access-Control-Allow-Origin") == expected
            assert "Access-Control-Allow-Credentials" not in each.headers
        assert (answer.status_code == 200) == (expected is not None)
    assert (
        "POST"
        in client.options("/v1/search", headers={"Origin": SITE}).headers["Access-Control-Allow-Methods"]
    )


@pytest.mark.parametrize(
    "path",
    ["/", "/search?q=a&sort=no", "/nowhere", "/v1/nope", "/v1/search?q=a", "/v1/search?limit=x", "/livez",
     "/metrics", "/openapi.json", "/openapi/swagger", "/problems", "/static/0/style.css", "/static/0/none",
     "/login", "/film/none"],
)  # fmt: skip
def test_every_answer_has_the_security_headers(open_app: Flask, path: str) -> None:
    answer = open_app.test_client().get(path, headers={"Accept": "text/html"})
    assert set(HEADERS) <= set(answer.headers.keys())
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_openapi_states_scopes_and_keys_where_they_are_asked_for(app: Flask, open_app: Flask) -> None:
    secured, unsecured = (a.test_client().get("/openapi.json").get_json() for a in (app, open_app))
    assert secured["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    promote = "/v1/models/{model}:promote"
    assert secured["paths"][promote]["post"]["security"] == [{"key": ["admin"]}]
    assert "security" not in unsecured["paths"][promote]["post"]
    assert secured["paths"]["/livez"]["get"]["security"] == []
    for operations in secured["paths"].values():
        for operation in operations.values():
            assert "403" in operation["responses"]
            assert ("401" in operation["responses"]) == (operation["security"] != [])
