"""docker-compose.yml is valid by its schema, and everything it names exists. It is not run."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.settings import Settings

ROOT = Path(__file__).parents[2]
FILES = ("docker-compose.yml", "deploy/docker/laptop.yml")
SCHEMA = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
SETTINGS = {f"REELRANK_{name.upper()}" for name in Settings.model_fields}
DOC = ROOT / "docs" / "deployment.md"


def read_composition(name: str = "docker-compose.yml") -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return content


SERVICES: dict[str, dict[str, Any]] = read_composition()["services"]


@pytest.fixture
def env_file(tmp_path: Path) -> dict[str, str]:
    """The variables that deploy/docker/make-env writes."""
    copy = tmp_path / "deploy" / "docker" / "make-env"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((ROOT / "deploy/docker/make-env").read_bytes())
    subprocess.run(["sh", copy], check=True, capture_output=True)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert subprocess.run(["sh", copy], check=False, capture_output=True).returncode == 1
    lines = (tmp_path / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("name", FILES)
def test_the_composition_is_valid(name: str) -> None:
    jsonschema.validate(read_composition(name), json.loads(SCHEMA.read_text()))


def test_every_variable_is_written_or_has_a_default(env_file: dict[str, str]) -> None:
    references = re.findall(r"(?<!\$)\$\{(\w+)(:?[-?])?", (ROOT / FILES[0]).read_text())
    assert references
    assert {name for name, otherwise in references if not otherwise.endswith("-")} <= set(env_file)
    assert len({v for k, v in env_file.items() if k.endswith(("PASSWORD", "KEY"))}) == 4


def test_every_setting_exists_or_is_for_haproxy() -> None:
    aggregators = set(re.findall(r"REELRANK_\w+", "".join(map(Path.read_text, _list_configs()))))
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            if variable.startswith("REELRANK_"):
                assert variable in (aggregators if name == "aggregator" else SETTINGS), (name, variable)


def _list_configs() -> list[Path]:
    return list((ROOT / "deploy" / "haproxy").glob("*.cfg"))


@pytest.mark.parametrize("name", SERVICES)
def test_every_reelrank_command_exists(name: str) -> None:
    command = SERVICES[name].get("command", [])
    for words in re.findall(
        r"reelrank( [^;]+)", " ".join(command) if "reelrank" in command else str(command)
    ):
        verbs = [word for word in shlex.split(words.strip("'\"] ")) if not word.isdigit()]
        result = CliRunner().invoke(app, [*verbs[: _find_first_option(verbs)], "--help"])
        assert result.exit_code == 0, words
        offered = " ".join(result.output.split())
        assert [word for word in verbs if word.startswith("--") and word not in offered] == []


def _find_first_option(verbs: list[str]) -> int:
    return next((position for position, word in enumerate(verbs) if word.startswith("--")), len(verbs))


def test_every_image_version_is_in_the_documentation() -> None:
    documentation = DOC.read_text()
    images = {service["image"] for service in SERVICES.values()} - {"reelrank:local"}
    assert [image for image in sorted(images) if f"`{image}`" not in documentation] == []


def test_every_mounted_or_copied_path_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in read_composition()["volumes"] or (ROOT / source).exists(), volume
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "deploy/docker/Dockerfile").read_text(), re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text()
    for source in " ".join(copied).split():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_every_awaited_service_has_a_health_check() -> None:
    for name, service in SERVICES.items():
        for dependency, requirement in service.get("depends_on", {}).items():
            assert requirement["condition"] != "service_healthy" or "healthcheck" in SERVICES[dependency], (
                name,
                dependency,
            )


def test_addresses_name_services_and_ports_that_exist() -> None:
    for name, service in SERVICES.items():
        for value in service.get("environment", {}).values():
            for host in re.findall(r"(?:http://|^)([a-z][a-z0-9-]+):\d+", str(value)):
                assert host in SERVICES, (name, value)
    assert "8090" in SERVICES["ranking-1"]["command"]


def test_ports_are_published_on_loopback_only() -> None:
    for name in FILES:
        for service in read_composition(name)["services"].values():
            assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))


def test_settings_read_what_the_composition_sets(
    env_file: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env_file.items():
        monkeypatch.setitem(os.environ, name, value)
    settings = Settings()
    assert (settings.engine, settings.engine_urls) == ("elasticsearch", ("http://elasticsearch:9200",))
    assert settings.kibana_url.removeprefix("http://").partition(":")[0] in SERVICES
