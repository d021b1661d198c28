"""What a search says over HTTP and in the shell: matches, corrections, highlights, or nothing."""

import json
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from typer.testing import CliRunner

from reelrank.app.cli.main import app as commands
from reelrank.app.web.api.answer_models import ListAnswer
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.item import Item
from tests.sample_project import build_project

EXTRA = (Item("odd1", "Plain", description="A lighthouse by the sea.", people=("Ada Seaborn",)),)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC), EXTRA)


@pytest.fixture(scope="module")
def client(parts: Container) -> FlaskClient:
    options = WebOptions(1_000_000, parts.settings.reports_dir)
    return create_app(warm_service(parts), options).test_client()


def search(client: FlaskClient, address: str) -> ListAnswer:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return ListAnswer.model_validate(answer.json)


def test_a_corrected_search_is_named_and_its_words_are_marked(client: FlaskClient) -> None:
    answer = search(client, "/v1/search?q=SEA+STOYR+1&highlight=true&limit=2")
    assert (answer.match, answer.did_you_mean) == ("lexical", "Sea story 1")
    highlight = answer.hits[0].highlight
    assert highlight is not None
    assert [(part.text, part.ranges) for part in highlight["title"]] == [("Sea story 1", [(0, 11)])]
    later = search(client, f"{answer.next}&highlight=true")
    assert all(hit.highlight for hit in later.hits if hit.match == "lexical")


def test_people_and_descriptions_are_marked_only_on_request(client: FlaskClient) -> None:
    (hit,) = search(client, "/v1/search?q=seaborn+lighthouse&highlight=true&limit=1").hits
    assert hit.highlight is not None
    assert hit.highlight["people"][0].ranges == [(4, 11)]
    assert hit.highlight["description"][0].ranges == [(2, 12)]
    assert search(client, "/v1/search?q=seaborn+lighthouse&limit=1").hits[0].highlight is None
    assert client.get("/v1/recommendations?highlight=true").status_code == 400


def test_gibberish_is_answered_with_a_sentence_and_suggestions(client: FlaskClient) -> None:
    answer = search(client, "/v1/search?q=zzzzqqq&facets=true")
    assert (answer.match, answer.total, answer.total_relation, answer.hits) == ("none", 0, "eq", [])
    assert answer.message
    assert len(answer.suggestions or ()) == 5


def run_search(parts: Container, *arguments: str) -> str:
    environment = {"REELRANK_DATA_DIR": str(parts.settings.data_dir), "COLUMNS": "200"}
    result = CliRunner().invoke(commands, ["search", *arguments], env=environment)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_shell_says_what_matched(parts: Container) -> None:
    printed = run_search(parts, "sea stoyr 1", "--json")
    found = json.loads(printed[printed.index("{\n") :])  # after lines of the log
    assert (found["match"], found["did_you_mean"]) == ("lexical", "Sea story 1")
    assert {hit["match"] for hit in found["hits"]} == {"lexical"}
    assert "Did you mean 'Sea story 1'?" in run_search(parts, "sea stoyr 1")
    assert "similar in meaning" in run_search(parts, "ocean")
    missing = run_search(parts, "zzzzqqq")
    assert "nothing is similar" in missing
    assert "Popular now" in missing
