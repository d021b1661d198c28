"""/openapi.json as tools read it: a generated client works, and nothing answers otherwise than described."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reelrank.app.wiring import build_release_manager
from tests.running_service import ServiceProcess, start_project_service
from tests.sample_project import add_model, build_project

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parent
EXAMPLES_PER_OPERATION = int(os.environ.get("OPENAPI_EXAMPLES", "60"))
"""Of the fuzzing phase; with the phase of edge cases it makes more than 2,000 calls."""
TIMEOUT_S = max(900, 15 * EXAMPLES_PER_OPERATION)
SEED = os.environ.get("OPENAPI_SEED", "0")
"""Another seed makes other calls, so that runs add up."""
KNOWN_REQUESTS = [
    ("GET", "/v1/search", "/v1/search?q=sea+story+3&user=viewer1&facets=true&explain=true", None),
    ("POST", "/v1/search", "/v1/search", {"q": "story", "limit": 3}),
    ("GET", "/v1/search", "/v1/search?q=see+stroy+3", None),
    ("GET", "/v1/search", "/v1/search?q=zzzzqqq", None),
    ("GET", "/v1/search", "/v1/search?q=sea&sort=newest&fields=title,year&exclude=sea3", None),
    ("GET", "/v1/popular", "/v1/popular?user=viewer1&limit=3", None),
    ("GET", "/v1/new", "/v1/new?genre=Sea", None),
    ("GET", "/v1/suggest", "/v1/suggest?q=sea", None),
    ("GET", "/v1/recommendations", "/v1/recommendations?user=viewer1&explain=true&limit=2", None),
    ("GET", "/v1/items/{item_id}/similar", "/v1/items/sea1/similar?user=viewer1", None),
    ("POST", "/v1/rank/{model}", "/v1/rank/current", {"ids": ["sea1", "space1", "gone"], "limit": 2}),
    ("GET", "/v1/items", "/v1/items?limit=5", None),
    ("POST", "/v1/items:get", "/v1/items:get", {"ids": ["sea1", "gone"]}),
    ("GET", "/v1/items/{item_id}", "/v1/items/sea1", None),
    ("PATCH", "/v1/items/{item_id}", "/v1/items/sea1", {"country": "France", "tags": ["wind"]}),
    ("POST", "/v1/items:bulk", "/v1/items:bulk", [{"id": "new1", "title": "New"}, {"id": "new2"}]),
    ("POST", "/v1/events", "/v1/events", {"kind": "like", "user": "viewer1", "item": "gone"}),
    ("GET", "/v1/users/{user_id}", "/v1/users/viewer1", None),
    ("DELETE", "/v1/users/{user_id}", "/v1/users/viewer2", None),
    ("GET", "/v1/models", "/v1/models", None),
    ("POST", "/v1/models/{model}:promote", "/v1/models/second:promote", None),
    ("GET", "/v1/score/{model}", "/v1/score/current", None),
    ("GET", "/livez", "/livez", None),
    ("GET", "/readyz", "/readyz", None),
]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service of its own: tools write, delete and promote whatever the description allows."""
    parts = build_project(tmp_path_factory.mktemp("openapi") / "data", datetime.now(UTC))
    for seed, name in enumerate(("first", "second")):
        add_model(parts, name, seed)
    build_release_manager(parts).promote_model("first")
    served = start_project_service(parts.settings, workers=1)
    yield served
    served.stop()


@pytest.fixture(scope="module")
def described(catalogue: ServiceProcess) -> dict[str, Any]:
    answer: dict[str, Any] = catalogue.get("/openapi.json").json
    return answer


@pytest.mark.parametrize("known", KNOWN_REQUESTS, ids=lambda known: f"{known[0]} {known[1]}")
def test_a_known_request_has_the_described_answer(
    catalogue: ServiceProcess, described: dict[str, Any], known: tuple[str, str, str, object]
) -> None:
    method, path, address, body = known
    answer = catalogue.send(method, address, body)
    responses = described["paths"][path][method.lower()]["responses"]
    assert answer.status in (200, 202)
    schema = responses[str(answer.status)]["content"]["application/json"]["schema"]
    whole = {"components": described["components"], "allOf": [schema]}
    assert [error.message for error in Draft202012Validator(whole).iter_errors(answer.json)] == []


def test_the_catalogue_is_listed_once_in_parts(catalogue: ServiceProcess) -> None:
    ids, address = list[str](), "/v1/items?limit=7"
    while address:
        page = catalogue.get(address).json
        ids += [item["id"] for item in page["items"]]
        address = page["next"]
    assert ids == sorted(set(ids))
    assert {f"sea{n}" for n in range(12)} | {f"space{n}" for n in range(12)} <= set(ids)


def test_new_items_come_by_date_and_popular_ones_without_the_watched(catalogue: ServiceProcess) -> None:
    years = [hit["year"] for hit in catalogue.get("/v1/new?limit=24").json["hits"]]
    assert years == sorted(years, reverse=True)
    event = {"kind": "watch", "item": "sea7", "watched_ms": 6_000_000, "duration_ms": 6_000_000}
    catalogue.post("/v1/events", [event | {"user": f"fan{n}"} for n in range(60)])
    until = time.monotonic() + 10
    while catalogue.get("/v1/popular?limit=1").json["hits"][0]["id"] != "sea7":
        assert time.monotonic() < until
        time.sleep(0.2)
    assert "sea7" not in [hit["id"] for hit in catalogue.get("/v1/popular?user=fan0&limit=24").json["hits"]]


def test_a_patch_changes_what_it_states_only(catalogue: ServiceProcess) -> None:
    before = catalogue.get("/v1/items/space2").json
    catalogue.send("PATCH", "/v1/items/space2", {"title": "Renamed", "countries": ["Chile", "Peru"]})
    after = catalogue.get("/v1/items/space2").json
    assert after == before | {"title": "Renamed", "countries": ["Chile", "Peru"], "country": "Chile"}
    catalogue.send("PATCH", "/v1/items/space2", {"duration_s": None, "country": "Peru"})
    last = catalogue.get("/v1/items/space2").json
    assert last["countries"] == ["Peru", "Chile"]
    assert "duration_s" not in last


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        (b"GET /v1/search?q=" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "address_too_long"),
        (b"GET / HTTP/1.1\r\nCookie: " + b"a" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: odd\r\n\r\n", 400, "invalid_request"),
        (b"HELLO\r\n\r\n", 400, "invalid_request"),
        (b"POST /v1/search HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 2\r\n\r\n{}", 400, "invalid_request"),
        (b"POST /v1/items/a HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 0\r\n\r\n", 405, "method_not_allowed"),
    ],
    ids=["long line", "long header", "odd coding", "no http", "no content type", "other method"],
)
def test_a_request_that_never_reaches_an_endpoint_gets_a_problem(
    catalogue: ServiceProcess, line: bytes, status: int, code: str
) -> None:
    head, body = catalogue.send_bytes(line)
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "application/problem+json" in head
    assert f'"code":"{code}"' in body
    assert (status == 405) == ("Allow: " in head)


def test_a_request_line_holds_twenty_long_values_of_three_filters(catalogue: ServiceProcess) -> None:
    values = "".join(f"&{name}={'a' * 64}" for name in ("genre", "language", "country") for _ in range(20))
    assert catalogue.get(f"/v1/search?q=sea{values}").status == 200


def test_a_generated_client_passes_a_journey(catalogue: ServiceProcess, tmp_path: Path) -> None:
    description, made = tmp_path / "openapi.json", tmp_path / "reelrank_client"
    description.write_bytes(catalogue.get("/openapi.json").body)
    generate = ["-m", "openapi_python_client", "generate", "--meta", "none", "--path", str(description)]
    generated = run_python([*generate, "--output-path", str(made)], tmp_path)
    assert generated.returncode == 0, generated.stdout + generated.stderr
    done = run_python([str(FOLDER / "generated_client_journey.py"), catalogue.url], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_answers_otherwise_than_described(catalogue: ServiceProcess, tmp_path: Path) -> None:
    command = ["-m", "schemathesis.cli", "--config-file", str(FOLDER / "schemathesis.toml"), "run"]
    options = [f"{catalogue.url}/openapi.json", "--max-examples", str(EXAMPLES_PER_OPERATION), "--no-color"]
    options += ["--seed", SEED]
    done = run_python([*command, *options], tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]
    calls = re.search(r"(\d+) generated", done.stdout)
    assert calls is not None
    assert int(calls[1]) >= 2000


def run_python(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs Python in a folder that it also imports from, with this environment's commands on the path."""
    found = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    imports = os.pathsep.join((str(folder), str(FOLDER.parents[1])))
    return subprocess.run(
        [sys.executable, *arguments],
        check=False, cwd=folder, timeout=TIMEOUT_S, capture_output=True, text=True,
        env=os.environ | {"PATH": found, "PYTHONPATH": imports},
    )  # fmt: skip
