"""Connections to a cluster: credentials, certificates, cloud ids and several hosts, against a gateway.

No secret may be logged, printed or raised, whatever goes wrong.
"""

import base64
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.engine import SearchEngine, TextMatch
from reelrank.index_mappings.errors import BadRequest, EngineError, NotFound, Unavailable
from tests.raised import raises_code
from tests.servers.gateway import Gateway, create_signed_certificate, run_gateway
from tests.servers.node import find_free_port

PRODUCTS = ["elasticsearch", "opensearch"]
SECRETS = ("hunter2", "aHVudGVyMw==", base64.b64encode(b"ada:hunter2").decode())
BASIC = f"Basic {SECRETS[2]}"
API_KEY = f"ApiKey {SECRETS[1]}"
ACCESS_CASES = [
    (BASIC, {"engine_username": "ada", "engine_password": "hunter2"}),
    (API_KEY, {"engine_api_key": "aHVudGVyMw=="}),
]
Opened = Callable[..., SearchEngine]


@pytest.fixture(params=PRODUCTS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Opens engines of each product with given settings."""
    engines = list[SearchEngine]()

    def open_engine(**settings: object) -> SearchEngine:
        stated = {"engine": request.param, "data_dir": tmp_path, **settings}
        engines.append(build_container(Settings.model_validate(stated)).engine)
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return create_signed_certificate(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def no_secret_is_shown(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Checks each test's output at the most verbose log level of the clients."""
    caplog.set_level(logging.DEBUG)
    for client in ("elastic_transport", "elasticsearch", "opensearch", "urllib3"):
        caplog.set_level(logging.DEBUG, client)
    yield
    lines = [logging.Formatter().format(record) for record in caplog.get_records("call")]
    output = "\n".join([*lines, *capfd.readouterr()])
    assert [secret for secret in SECRETS if secret in output] == []


def search_ids(engine: SearchEngine) -> list[str]:
    matches = engine.match_text(TextMatch("bm25", "alien", 10), 5.0)
    return [name.decode() for name in matches.ids.tolist()]


def read_error(engine: SearchEngine) -> str:
    """Returns the message of a failed search. Checks that neither it nor its causes show a secret."""
    with pytest.raises(EngineError) as raised:
        search_ids(engine)
    causes, error = list[str](), raised.value.__cause__
    while error is not None:
        causes.append(f"{error!r} {error} {vars(error)}")
        error = error.__cause__ or error.__context__
    everything = "\n".join([repr(raised.value), *causes])
    assert [secret for secret in SECRETS if secret in everything] == []
    return str(raised.value)


@pytest.mark.parametrize(("header", "settings"), ACCESS_CASES)
def test_a_password_and_an_api_key_are_accepted(
    opened: Opened, header: str, settings: dict[str, str]
) -> None:
    with run_gateway(Gateway(header)) as gateway:
        assert search_ids(opened(engine_url=gateway.url, **settings)) == ["alien"]


@pytest.mark.parametrize(("header", "settings"), ACCESS_CASES)
def test_wrong_credentials_name_the_settings_but_not_their_values(
    opened: Opened, header: str, settings: dict[str, str]
) -> None:
    with run_gateway(Gateway("Basic of another user")) as gateway:
        message = read_error(opened(engine_url=gateway.url, **settings))
    assert "REELRANK_ENGINE_USERNAME, _PASSWORD or _API_KEY" in message


def test_a_private_certificate_authority_must_be_configured(
    opened: Opened, certificates: tuple[Path, Path]
) -> None:
    authority, signed = certificates
    with run_gateway(Gateway(BASIC, certificate=signed)) as gateway:
        _, settings = ACCESS_CASES[0]
        trusting = opened(engine_url=gateway.url, engine_ca_certs=authority, **settings)
        assert search_ids(trusting) == ["alien"]
        before = len(gateway.requests)
        message = read_error(opened(engine_url=gateway.url, **settings))
        assert len(gateway.requests) == before
    assert "certificate" in message.lower()
    assert "REELRANK_ENGINE_CA_CERTS" in message


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unreadable_certificate_file_is_named(opened: Opened, content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "none.pem"
    if content is not None:
        file.write_text(content)
    with raises_code(BadRequest, "invalid_engine_setting"):
        opened(engine_url="https://127.0.0.1:9", engine_ca_certs=file)


@pytest.mark.parametrize("opened", ["elasticsearch"], indirect=True)
def test_a_cloud_id_connects_to_its_host(opened: Opened, certificates: tuple[Path, Path]) -> None:
    authority, signed = certificates
    with run_gateway(Gateway(API_KEY, certificate=signed)) as gateway:
        host = base64.b64encode(f"0.0.1:{gateway.port}$127$".encode()).decode()  # 127 before 0.0.1
        settings = {"engine_cloud_id": f"films:{host}", "engine_api_key": "aHVudGVyMw=="}
        assert search_ids(opened(engine_ca_certs=authority, **settings)) == ["alien"]


@pytest.mark.parametrize("opened", ["elasticsearch"], indirect=True)
def test_an_invalid_cloud_id_names_the_setting(opened: Opened) -> None:
    with raises_code(BadRequest, "invalid_engine_setting"):
        opened(engine_cloud_id="films:what")


def test_requests_use_the_hosts_that_are_up(opened: Opened) -> None:
    dead = f"http://127.0.0.1:{find_free_port()}"
    with run_gateway(Gateway()) as first, run_gateway(Gateway()) as second:
        engine = opened(engine_url=f"{dead},{first.url},{second.url}")
        assert all(search_ids(engine) == ["alien"] for _ in range(20))
        assert len(first.requests) > 0
        assert len(second.requests) > 0
    with raises_code(Unavailable, "engine_unreachable"):
        search_ids(opened(engine_url=f"{dead},http://127.0.0.1:{find_free_port()}"))


@pytest.fixture(params=["dead first", "dead last"])
def with_a_dead_host(request: pytest.FixtureRequest) -> Iterator[tuple[Gateway, str]]:
    """A gateway, and its URL with that of a host that is down, in both orders."""
    dead = f"http://127.0.0.1:{find_free_port()}"
    with run_gateway(Gateway()) as gateway:
        yield gateway, ",".join((dead, gateway.url) if request.param == "dead first" else (gateway.url, dead))


def test_reads_go_to_another_host_when_one_is_down(
    opened: Opened, with_a_dead_host: tuple[Gateway, str]
) -> None:
    _, urls = with_a_dead_host
    for _ in range(4):
        assert opened(engine_url=urls).versions() == []


def test_a_write_that_was_never_sent_goes_to_another_host(
    opened: Opened, with_a_dead_host: tuple[Gateway, str]
) -> None:
    gateway, urls = with_a_dead_host
    for number in range(4):
        engine = opened(engine_url=urls)
        assert isinstance(engine, ServerEngine)
        with pytest.raises(NotFound):  # the gateway has no index, but it was reached
            engine.cluster.request_or_raise("PUT", f"/index-{number}")
    assert gateway.requests == [f"PUT /index-{number}" for number in range(4)]


@pytest.mark.slow
@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(("header", "settings"), ACCESS_CASES)
def test_a_command_with_wrong_credentials_shows_no_secret(
    product: str, header: str, settings: dict[str, str], tmp_path: Path
) -> None:
    with run_gateway(Gateway("Basic of another user")) as gateway:
        stated = {"engine": product, "engine_url": gateway.url, "data_dir": str(tmp_path), **settings}
        run = subprocess.run(
            [sys.executable, "-m", "reelrank.app.cli", "index", "list"],
            env=os.environ | {f"REELRANK_{name.upper()}": value for name, value in stated.items()},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert run.returncode != 0
    assert "REELRANK_ENGINE_USERNAME" in run.stdout + run.stderr
    assert [secret for secret in SECRETS if secret in run.stdout + run.stderr] == []
