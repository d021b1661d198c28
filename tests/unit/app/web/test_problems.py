"""Problem codes: in every answer that reports an error, on pages that explain them, in both roles."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import BaseModel, Field, ValidationError

from reelrank.app.settings import Settings
from reelrank.app.web.application import WebOptions, create_app, create_ranking_app
from reelrank.app.web.problem_codes import find_problem, list_http_problems, load_problems
from reelrank.app.web.problems import handle_validation_error
from reelrank.app.wiring import build_container, build_models, build_service, warm_service
from reelrank.index_mappings.errors import CodedError, Conflict, EngineError
from tests.sample_project import build_project

BODY_BYTES_MAX = 100_000
ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    parts = build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC))
    return create_app(
        warm_service(parts), WebOptions(BODY_BYTES_MAX, parts.settings.reports_dir)
    ).test_client()


@pytest.fixture(scope="module")
def ranking_client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    parts = build_container(Settings(data_dir=tmp_path_factory.mktemp("models")))
    return create_ranking_app(build_models(parts), BODY_BYTES_MAX).test_client()


def list_calls(*roots: str) -> Iterator[ast.Call]:
    for root in roots:
        for path in (ROOT / root).rglob("*.py"):
            yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def list_subclasses(error: type[CodedError]) -> Iterator[type[CodedError]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from list_subclasses(subclass)


def test_every_engine_error_has_a_code_with_a_status() -> None:
    codes = {error.code for error in list_subclasses(EngineError)}
    assert len(codes) >= 10
    assert [code for code in codes if load_problems()[code].status is None] == []


def test_the_reasons_of_one_type_of_error_share_its_status_and_exit_code() -> None:
    types = {error.__name__: error for error in list_subclasses(CodedError)}
    reasons = [
        (load_problems()[types[call.func.id].code], load_problems()[str(keyword.value.value)])
        for call in list_calls("app", "index_mappings", "loaders", "ranking")
        for keyword in call.keywords
        if isinstance(call.func, ast.Name)
        and hasattr(types.get(call.func.id), "code")
        and keyword.arg == "code"
        and isinstance(keyword.value, ast.Constant)
    ]
    assert len(reasons) > 90
    for usual, reason in reasons:
        assert (reason.status, reason.exit_code) == (usual.status, usual.exit_code), reason.code


def test_a_code_of_another_build_is_answered_as_its_type() -> None:
    assert find_problem(Conflict("from a newer service", code="code_of_the_future")).code == "conflict"
    assert find_problem(Conflict("from this build", code="job_running")).code == "job_running"


def test_codes_are_snake_case_and_their_texts_are_sentences() -> None:
    for problem in load_problems().values():
        assert problem.code.replace("_", "").islower()
        assert problem.title
        assert problem.meaning.endswith(".")
        assert problem.remedy.endswith(".")
        assert problem.meaning.count("`") % 2 == problem.remedy.count("`") % 2 == 0
        assert problem.status or problem.exit_code


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/search?q=a&limit=ten", 400, "invalid_request"),
        ("POST", "/v1/events", 400, "invalid_request"),
        ("GET", "/v1/nowhere", 404, "address_not_found"),
        ("GET", "/v1/items/unknown", 404, "item_not_found"),
        ("DELETE", "/v1/items/unknown", 404, "item_not_found"),
        ("GET", "/v1/items/unknown/similar", 404, "item_not_found"),
        ("GET", "/v1/search?q=a&model=unknown", 404, "model_not_found"),
        ("POST", "/v1/models/unknown:promote", 404, "model_not_found"),
        ("GET", "/v1/search?cursor=0.5", 404, "cursor_expired"),
        ("PATCH", "/v1/search", 405, "method_not_allowed"),
    ],
)
def test_an_error_names_its_code_and_the_page_about_it(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.open(path, method=method)
    problem = answer.get_json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.content_type == "application/problem+json"
    assert problem["title"] == load_problems()[code].title
    assert problem["title"] in client.get(problem["type"]).text
    assert problem.keys() >= {"type", "title", "status", "detail", "instance", "request_id"}


def test_a_body_above_the_limit_names_the_setting(client: FlaskClient) -> None:
    problem = client.post("/v1/events", data=b" " * (BODY_BYTES_MAX + 1)).get_json()
    assert problem["code"] == "body_too_large"
    assert "REELRANK_BODY_BYTES_MAX (100000 bytes)" in problem["detail"]


class Pair(BaseModel):
    of: tuple[int, ...] = Field(min_length=1, max_length=2)


@pytest.mark.parametrize(("count", "sentence"), [(0, "of: give at least 1"), (9, "of: give at most 2")])
def test_a_list_of_a_wrong_length_says_how_many_to_give(
    client: FlaskClient, count: int, sentence: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        Pair.model_validate({"of": (1,) * count})
    with client.application.test_request_context():
        assert handle_validation_error(raised.value).get_json()["detail"] == sentence


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("limit=abc", "limit: give a whole number (given: 'abc')"),
        ("limit=1.5", "limit: give a whole number (given: '1.5')"),
        ("limit=0", "limit: give 1 or more (given: '0')"),
        ("limit=101", "limit: give 100 or less (given: '101')"),
        ("explain=maybe", "explain: give true or false (given: 'maybe')"),
    ],
)
def test_a_wrong_value_is_answered_with_what_to_give(client: FlaskClient, query: str, sentence: str) -> None:
    assert client.get(f"/v1/search?q=sea&{query}").get_json()["detail"] == sentence


def test_a_request_of_another_site_has_a_code(client: FlaskClient) -> None:
    answer = client.delete("/v1/items/sea1", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross_site_request")


def test_an_unexpected_error_asks_for_the_request_id_and_hides_the_cause(client: FlaskClient) -> None:
    app = client.application
    with app.test_request_context("/v1/models"):
        problem = app.make_response(app.handle_user_exception(RuntimeError("secret"))).get_json()
    assert problem["code"] == "internal_error"
    assert problem["detail"] == "Internal error. Quote this request id when reporting it."


def test_a_service_without_an_index_is_unavailable(tmp_path_factory: pytest.TempPathFactory) -> None:
    parts = build_container(Settings(data_dir=tmp_path_factory.mktemp("empty")))
    app = create_app(build_service(parts), WebOptions(BODY_BYTES_MAX, parts.settings.reports_dir))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "starting")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("code", load_problems())
def test_every_code_has_a_page_that_says_what_to_do(client: FlaskClient, code: str) -> None:
    page = client.get(f"/problems/{code}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert f'href="/problems/{code}"' in client.get("/problems").text
    assert load_problems()[code].meaning.split("`")[0].replace("'", "&#39;") in page.text
    assert "What to do" in page.text
    assert "Search films" in page.text
    assert "`" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_an_unknown_code_has_no_page(client: FlaskClient) -> None:
    assert client.get("/problems/nonsense").get_json()["code"] == "address_not_found"


def test_the_ranking_role_explains_its_own_codes_alone(ranking_client: FlaskClient) -> None:
    listed = ranking_client.get("/problems").text
    assert 'href="/problems/model_not_found"' in listed
    assert "item_not_found" not in listed
    assert ranking_client.get("/problems/body_too_large").status_code == 200
    assert ranking_client.get("/problems/item_not_found").status_code == 404
    assert "Search films" not in listed
    style = listed.split('rel="stylesheet" href="')[1].split('"')[0]
    assert ranking_client.get(style).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/search?q=a", "address_not_found"),
        ("GET", "/v1/score/unknown", "model_not_found"),
        ("POST", "/v1/score/current", "invalid_request"),
    ],
)
def test_errors_of_the_ranking_role_have_a_page_there(
    ranking_client: FlaskClient, method: str, path: str, code: str
) -> None:
    problem = ranking_client.open(path, method=method).get_json()
    assert problem["code"] == code
    assert ranking_client.get(problem["type"]).status_code == 200


def test_a_model_that_does_not_fit_is_rejected_by_code(tmp_path_factory: pytest.TempPathFactory) -> None:
    parts = build_container(Settings(data_dir=tmp_path_factory.mktemp("broken")))
    (parts.settings.models_dir / "broken").mkdir(parents=True)
    client = create_ranking_app(build_models(parts), BODY_BYTES_MAX).test_client()
    answer = client.post("/v1/models/broken:promote")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "invalid_manifest")


def test_openapi_names_every_code_for_every_endpoint(client: FlaskClient) -> None:
    described = client.get("/openapi.json").get_json()
    codes = described["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert codes == [problem.code for problem in list_http_problems()]
    listed = "".join(answer["description"] for answer in described["components"]["responses"].values())
    assert [code for code in codes if f"`{code}`" not in listed] == []
    for operations in described["paths"].values():
        for operation in operations.values():
            assert {"400", "404", "405", "500", "503", "504"} < operation["responses"].keys()


def test_every_code_of_the_table_is_raised_somewhere() -> None:
    trees = [
        ast.parse(path.read_text())
        for root in ("app", "index_mappings", "loaders", "ranking")
        for path in (ROOT / root).rglob("*.py")
    ]
    constants = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert set(load_problems()) - constants == set()


def test_every_code_that_a_command_fails_with_is_in_the_table() -> None:
    calls = [
        call for call in list_calls("app/cli") if getattr(call.func, "id", "") in ("fail", "describe_error")
    ]
    codes = {
        argument.value
        for call in calls
        for argument in call.args[1:]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
    assert len(codes) >= 8
    assert codes - set(load_problems()) == set()


@pytest.mark.parametrize(
    ("parameter", "field", "nearest"),
    [
        ("sort=newst", "sort", "newest"),
        ("sort=POPULARITY", "sort", "popular"),
        ("sort=relevence", "sort", "relevance"),
        ("fields=title,yaer", "fields.1", "year"),
        ("fields=ttile", "fields.0", "title"),
    ],
)
def test_a_wrong_value_is_answered_with_the_nearest_right_one(
    client: FlaskClient, parameter: str, field: str, nearest: str
) -> None:
    (error,) = client.get(f"/v1/search?q=a&{parameter}").json["errors"]  # type: ignore[index]
    assert error["field"] == field
    assert f"did you mean {nearest}?" in error["detail"]
