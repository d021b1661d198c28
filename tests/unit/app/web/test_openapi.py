"""/openapi.json is valid OpenAPI 3.1 and complete: answers, examples, problems and headers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from reelrank.app.privacy_wiring import build_viewer_eraser
from reelrank.app.settings import Settings
from reelrank.app.state.model_cache import ServedModels
from reelrank.app.web.api.item_bodies import ItemBody, ItemPatchBody
from reelrank.app.web.api.scores import create_score_api
from reelrank.app.web.application import WebOptions, create_app, create_ranking_app
from reelrank.app.web.openapi import EXAMPLES
from reelrank.app.wiring import build_container, build_models, build_service

Operations = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module", params=["all", "ranking"])
def described(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    parts = build_container(Settings(data_dir=tmp_path_factory.mktemp("empty")))
    if request.param == "ranking":
        app = create_ranking_app(build_models(parts), 1_000_000)
    else:
        service = build_service(parts)
        eraser, reports_dir = build_viewer_eraser(parts), parts.settings.reports_dir
        options = WebOptions(1_000_000, reports_dir, eraser=eraser, experiments=parts.experiments)
        app = create_app(service, options)
        app.register_api(create_score_api(service.refresher.models))
    answer: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return answer


@pytest.fixture
def operations(described: dict[str, Any]) -> Operations:
    return [
        (f"{method.upper()} {path}", operation)
        for path, by_method in described["paths"].items()
        for method, operation in by_method.items()
    ]


def test_it_is_valid_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_every_operation_has_a_name_of_its_own(operations: Operations) -> None:
    names = [operation["operationId"] for _, operation in operations]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def find_answer(operation: dict[str, Any]) -> dict[str, Any]:
    """The description of the answer to a request that succeeds."""
    (status,) = operation["responses"].keys() & {"200", "201", "202"}
    answer: dict[str, Any] = operation["responses"][status]
    return answer


def test_every_answer_has_a_schema_and_headers(operations: Operations) -> None:
    for name, operation in operations:
        answer = find_answer(operation)
        assert all("schema" in content for content in answer["content"].values()), name
        assert "X-Request-Id" in answer["headers"], name


def test_every_body_is_described(operations: Operations) -> None:
    without = [
        name
        for name, operation in operations
        if name.startswith(("POST", "PUT", "PATCH")) and "requestBody" not in operation
    ]
    without_any = {"POST /v1/experiments/{name}:start", "POST /v1/models/{model}:promote"}
    assert set(without) <= without_any


def test_every_problem_of_an_operation_is_described_as_one(
    described: dict[str, Any], operations: Operations
) -> None:
    for name, operation in operations:
        problems = {status for status in operation["responses"] if status >= "400"}
        assert {"400", "404", "405", "500", "503", "504"} <= problems, name
        for status in problems:
            answer = described["components"]["responses"][status]
            assert list(answer["content"]) == ["application/problem+json"]


def test_every_json_operation_has_a_valid_example(described: dict[str, Any], operations: Operations) -> None:
    for name, operation in operations:
        contents = [find_answer(operation)["content"]]
        contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
        for content in contents:
            if "application/json" in content:
                media = content["application/json"]
                assert list(_validate(described, media["schema"], media["example"])) == [], name


def test_every_example_belongs_to_an_operation(tmp_path: Path) -> None:
    parts = build_container(Settings(data_dir=tmp_path))
    service = build_service(parts)
    eraser = build_viewer_eraser(parts)
    options = WebOptions(1_000_000, tmp_path, eraser=eraser, experiments=parts.experiments)
    app = create_app(service, options)
    assert isinstance(service.refresher.models, ServedModels)
    app.register_api(create_score_api(service.refresher.models))
    paths = app.test_client().get("/openapi.json").get_json()["paths"].values()
    names = {operation["operationId"] for by_method in paths for operation in by_method.values()}
    assert set(json.loads(EXAMPLES.read_text())) - names == set()


def test_a_patch_may_change_every_field_of_an_item() -> None:
    assert set(ItemPatchBody.model_fields) == set(ItemBody.model_fields)
    assert not any(field.is_required() for field in ItemPatchBody.model_fields.values())


def _validate(described: dict[str, Any], schema: dict[str, Any], value: object) -> Iterator[str]:
    """Yields what is wrong with a value, by a schema that may point into the description."""
    whole = {"components": described["components"], "allOf": [schema]}
    return (error.message for error in Draft202012Validator(whole).iter_errors(value))
