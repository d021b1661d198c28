"""Engine settings: invalid ones are refused, and no secret is shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from reelrank.app.engines.server.transport.access import Access
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.errors import BadRequest, Unavailable
from tests.raised import raises_code


@pytest.mark.parametrize("product", ["elasticsearch", "opensearch"])
def test_an_unreachable_cluster_is_unavailable_and_named(product: str, tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"engine": product, "engine_url": "http://127.0.0.1:9", "data_dir": tmp_path}
    )
    with raises_code(Unavailable, "engine_unreachable"):
        build_container(settings).engine.serving_version()


@pytest.mark.parametrize("product", ["elasticsearch", "opensearch"])
def test_an_engine_without_an_address_names_the_setting(product: str) -> None:
    with raises_code(BadRequest, "engine_not_configured"):
        build_container(Settings.model_validate({"engine": product}))


def test_a_password_in_an_address_is_refused_but_not_shown() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"engine_url": "https://ada:hunter2@example.org"})
    assert "hunter2" not in str(refused.value)


def test_repr_shows_no_secret() -> None:
    secrets = {"engine_password": "hunter2", "engine_api_key": "hunter3"}
    access = Access(("http://a",), "ada", "hunter2", "hunter3", "hunter4")
    assert "hunter" not in repr(Settings.model_validate(secrets)) + repr(access)


@pytest.mark.parametrize(
    ("access", "header"),
    [
        (Access(), {}),
        (Access(username="ada", password="hunter2"), {"authorization": "Basic YWRhOmh1bnRlcjI="}),
        (Access(api_key="a2V5"), {"authorization": "ApiKey a2V5"}),
    ],
)
def test_credentials_become_one_authorization_header(access: Access, header: dict[str, str]) -> None:
    assert access.build_headers() == header


def test_a_cluster_has_a_longer_default_deadline() -> None:
    assert Settings.model_validate({}).deadline_ms == 80
    there = {"engine": "opensearch", "engine_url": "http://a"}
    assert Settings.model_validate(there).deadline_ms == 200
    assert Settings.model_validate({**there, "deadline_ms": 90}).deadline_ms == 90


def test_a_wrong_line_of_a_synonyms_file_is_named_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "synonyms.txt"
    file.write_text("film, movie\nsea =>\n")
    with raises_code(BadRequest, "invalid_synonyms", match=rf"{file}: line 2: "):
        build_container(Settings.model_validate({"synonyms": file, "data_dir": tmp_path}))
    file.write_text("film, movie\n")
    synonyms = build_container(Settings.model_validate({"synonyms": file, "data_dir": tmp_path})).synonyms
    assert synonyms.expand(["film"]) == ["movie"]
