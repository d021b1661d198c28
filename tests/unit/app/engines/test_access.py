"""How a cluster is reached: credentials, certificates, cloud ids, several hosts; against a front that checks.

Nothing secret may be in what is logged, printed or raised, whatever goes wrong.
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
from tests.servers.front import Front, create_signed_certificate, run_front
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
    """Opens an engine of each product with settings."""
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
def nothing_secret_is_told(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Around each test, at the level at which the clients tell most."""
    caplog.set_level(logging.DEBUG)
    for talkative in ("elastic_transport", "elasticsearch", "opensearch", "urllib3"):
        caplog.set_level(logging.DEBUG, talkative)
    yield
    lines = [logging.Formatter().format(record) for record in caplog.get_records("call")]
    told = "\n".join([*lines, *capfd.readouterr()])
    assert [secret for secret in SECRETS if secret in told] == []


def search_ids(engine: SearchEngine) -> list[str]:
    matches = engine.match_text(TextMatch("bm25", "alien", 10), 5.0)
    return [name.decode() for name in matches.ids.tolist()]


def read_complaint(engine: SearchEngine) -> str:
    """What the failure and everything that led to it say."""
    with pytest.raises(EngineError) as raised:
        search_ids(engine)
    said, error = list[str](), raised.value.__cause__
    while error is not None:
        said.append(f"{error!r} {error} {vars(error)}")
        error = error.__cause__ or error.__context__
    everything = "\n".join([repr(raised.value), *said])
    assert [secret for secret in SECRETS if secret in everything] == []
    return str(raised.value)


@pytest.mark.parametrize(("header", "settings"), ACCESS_CASES)
def test_a_name_with_a_password_and_an_api_key_are_let_in(
    opened: Opened, header: str, settings: dict[str, str]
) -> None:
    with run_front(Front(header)) as front:
        assert search_ids(opened(engine_url=front.url, **settings)) == ["alien"]


@pytest.mark.parametrize(("header", "settings"), ACCESS_CASES)
def test_wrong_credentials_name_the_settings_and_never_what_they_hold(
    opened: Opened, header: str, settings: dict[str, str]
) -> None:
    with run_front(Front("Basic of somebody else")) as front:
        said = read_complaint(opened(engine_url=front.url, **settings))
    assert "REELRANK_ENGINE_USERNAME, _PASSWORD or _API_KEY" in said


def test_a_cluster_with_its_own_authority_is_reached_with_its_certificate_and_not_without(
    opened: Opened, certificates: tuple[Path, Path]
) -> None:
    authority, signed = certificates
    with run_front(Front(BASIC, certificate=signed)) as front:
        _, settings = ACCESS_CASES[0]
        trusting = opened(engine_url=front.url, engine_ca_certs=authority, **settings)
        assert search_ids(trusting) == ["alien"]
        heard = len(front.requests)
        said = read_complaint(opened(engine_url=front.url, **settings))
        assert len(front.requests) == heard
    assert "certificate" in said.lower()
    assert "REELRANK_ENGINE_CA_CERTS" in said


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_certificates_that_cannot_be_used_is_named(
    opened: Opened, content: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "none.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadRequest, match=r"REELRANK_ENGINE_CA_CERTS: .*none.pem"):
        opened(engine_url="https://127.0.0.1:9", engine_ca_certs=file)


@pytest.mark.parametrize("opened", ["elasticsearch"], indirect=True)
def test_a_cloud_id_leads_to_its_host(opened: Opened, certificates: tuple[Path, Path]) -> None:
    authority, signed = certificates
    with run_front(Front(API_KEY, certificate=signed)) as front:
        place = base64.b64encode(f"0.0.1:{front.port}$127$".encode()).decode()  # 127 before 0.0.1
        settings = {"engine_cloud_id": f"films:{place}", "engine_api_key": "aHVudGVyMw=="}
        assert search_ids(opened(engine_ca_certs=authority, **settings)) == ["alien"]


@pytest.mark.parametrize("opened", ["elasticsearch"], indirect=True)
def test_a_cloud_id_that_is_none_is_refused_with_the_setting(opened: Opened) -> None:
    with pytest.raises(BadRequest, match="REELRANK_ENGINE_CLOUD_ID"):
        opened(engine_cloud_id="films:what")


def test_of_several_hosts_those_that_are_there_answer_and_none_is_unavailable(opened: Opened) -> None:
    dead = f"http://127.0.0.1:{find_free_port()}"
    with run_front(Front()) as first, run_front(Front()) as second:
        engine = opened(engine_url=f"{dead},{first.url},{second.url}")
        assert all(search_ids(engine) == ["alien"] for _ in range(20))
        assert len(first.requests) > 0
        assert len(second.requests) > 0
    with pytest.raises(Unavailable):
        search_ids(opened(engine_url=f"{dead},http://127.0.0.1:{find_free_port()}"))


@pytest.fixture(params=["dead first", "dead last"])
def with_a_dead_host(request: pytest.FixtureRequest) -> Iterator[tuple[Front, str]]:
    """A front, and its address with that of a host that is not there, in both orders."""
    dead = f"http://127.0.0.1:{find_free_port()}"
    with run_front(Front()) as front:
        yield front, ",".join((dead, front.url) if request.param == "dead first" else (front.url, dead))


def test_what_serves_is_asked_of_another_host_when_one_is_dead(
    opened: Opened, with_a_dead_host: tuple[Front, str]
) -> None:
    _, urls = with_a_dead_host
    for _ in range(4):
        assert opened(engine_url=urls).versions() == []


def test_a_change_that_never_got_to_a_dead_host_is_made_on_another(
    opened: Opened, with_a_dead_host: tuple[Front, str]
) -> None:
    front, urls = with_a_dead_host
    for number in range(4):
        engine = opened(engine_url=urls)
        assert isinstance(engine, ServerEngine)
        with pytest.raises(NotFound):  # the front has nothing, but it was asked
            engine.cluster.request_or_raise("PUT", f"/index-{number}")
    assert front.requests == [f"PUT /index-{number}" for number in range(4)]


@pytest.mark.slow
@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(("header", "settings"), ACCESS_CASES)
def test_a_command_that_is_not_let_in_says_so_and_tells_nothing_secret(
    product: str, header: str, settings: dict[str, str], tmp_path: Path
) -> None:
    with run_front(Front("Basic of somebody else")) as front:
        stated = {"engine": product, "engine_url": front.url, "data_dir": str(tmp_path), **settings}
        run = subprocess.run(
            [sys.executable, "-m", "reelrank.app.cli", "index", "list"],
            env=os.environ | {f"REELRANK_{name.upper()}": value for name, value in stated.items()},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert run.returncode != 0
    assert "REELRANK_ENGINE_USERNAME" in run.stdout + run.stderr
    assert [secret for secret in SECRETS if secret in run.stdout + run.stderr] == []
