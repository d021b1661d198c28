"""docs/api.md holds every endpoint and every parameter; its curl lines call endpoints that exist."""

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from reelrank.app.privacy_wiring import build_viewer_eraser
from reelrank.app.settings import Settings
from reelrank.app.web.api.scores import create_score_api
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import build_container, build_service

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "api.md").read_text()
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    parts = build_container(Settings(data_dir=tmp_path_factory.mktemp("empty")))
    service = build_service(parts)
    app = create_app(
        service,
        WebOptions(
            1_000_000,
            parts.settings.reports_dir,
            eraser=build_viewer_eraser(parts),
            experiments=parts.experiments,
        ),
    )
    app.register_api(create_score_api(service.refresher.models))
    return app


@pytest.fixture(scope="module")
def described(app: Flask) -> dict[str, Any]:
    answer: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return answer


def test_every_endpoint_is_on_the_page(described: dict[str, Any]) -> None:
    endpoints = {f"{method.upper()} {path}" for path, ways in described["paths"].items() for method in ways}
    assert [endpoint for endpoint in sorted(endpoints) if f"`{endpoint}`" not in DOC] == []
    assert all(f"`GET {path}`" in DOC for path in ("/livez", "/readyz", "/metrics"))


def test_every_parameter_and_field_is_on_the_page(described: dict[str, Any]) -> None:
    named = {
        parameter["name"]
        for ways in described["paths"].values()
        for operation in ways.values()
        for parameter in operation.get("parameters", [])
    }
    bodies = ("SearchParameters", "RankBody", "ItemBody")
    named |= {name for body in bodies for name in described["components"]["schemas"][body]["properties"]}
    path_names = {"item_id", "model", "erasure_id"}
    assert [name for name in sorted(named - path_names) if f"`{name}`" not in DOC] == []


@pytest.mark.parametrize(("page", "least"), [(DOC, 10), (README, 4)], ids=["api.md", "README.md"])
def test_every_curl_line_of_a_page_calls_an_endpoint(app: Flask, page: str, least: int) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    commands = [
        line for block in blocks for line in block.replace("\\\n", " ").splitlines() if "curl " in line
    ]
    assert len(commands) >= least
    for command in commands:
        words = shlex.split(command)
        address = urlsplit(next(word for word in words if word.startswith("http")))
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        app.url_map.bind("").match(address.path, method)
