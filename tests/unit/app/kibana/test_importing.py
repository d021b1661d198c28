"""Import of saved objects, with a server that records requests in place of Kibana."""

import base64
import threading
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.kibana.importer import Product, read_import_file

Start = Callable[[dict[str, object], int], tuple[str, list[dict[str, Any]]]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server with one response; returns its address and the recorded requests."""
    servers = []

    def start_kibana(answer: dict[str, object], status: int = 200) -> tuple[str, list[dict[str, Any]]]:
        requests: list[dict[str, Any]] = []

        class Kibana(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append(
                    {
                        "path": self.path,
                        "headers": {name.lower(): value for name, value in self.headers.items()},
                        "body": body,
                    }
                )
                self.send_response(status)
                self.end_headers()
                self.wfile.write(orjson.dumps(answer))

            def log_message(self, format: str, *args: object) -> None:
                """Keeps the output of the test clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Kibana)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}", requests

    yield start_kibana
    for server in servers:
        server.shutdown()
        server.server_close()


def run_import(monkeypatch: pytest.MonkeyPatch, url: str, product: str = "elasticsearch") -> tuple[int, str]:
    for name, value in {
        "ENGINE": product, "ENGINE_URL": "http://127.0.0.1:1", "KIBANA_URL": url,
        "ENGINE_USERNAME": "ann", "ENGINE_PASSWORD": "secret-word",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"REELRANK_{name}", value)
    result = CliRunner().invoke(app, ["kibana", "import"])
    assert "secret-word" not in result.output
    return result.exit_code, result.output + str(result.exception or "")


@pytest.mark.parametrize(("product", "header"), [("elasticsearch", "kbn-xsrf"), ("opensearch", "osd-xsrf")])
def test_the_request_is_as_the_api_requires(
    start: Start, monkeypatch: pytest.MonkeyPatch, product: Product, header: str
) -> None:
    url, requests = start({"success": True, "successCount": 22}, 200)
    code, output = run_import(monkeypatch, url, product)
    assert code == 0, output
    (request,) = requests
    assert request["path"] == "/api/saved_objects/_import?overwrite=true"
    headers = request["headers"]
    assert headers[header] == "true"
    assert headers["authorization"] == f"Basic {base64.b64encode(b'ann:secret-word').decode()}"
    message = BytesParser().parsebytes(
        f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + request["body"]
    )
    part: Any = message.get_payload(0)
    assert part.get_param("name", header="content-disposition") == "file"
    assert str(part.get_filename()).endswith(".ndjson")
    import_file = read_import_file(product)
    assert part.get_payload(decode=True).strip() == import_file.strip()
    assert output.count(": imported") == len(import_file.splitlines())


def test_a_rejected_object_is_named_with_its_reason(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"type": "missing_references", "references": [{"type": "index-pattern", "id": "gone"}]}
    failed = {"type": "dashboard", "id": "reelrank-traffic", "error": error}
    url, _ = start({"success": False, "successCount": 0, "errors": [failed], "successResults": []}, 200)
    code, output = run_import(monkeypatch, url)
    assert code == 1
    assert 'dashboard reelrank-traffic: missing_references [{"type":"index-pattern","id":"gone"}]' in output
    assert "dashboard reelrank-ranking: not imported" in output


def test_a_wrong_password_or_address_is_named_with_a_remedy(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = start({"message": "no"}, 401)
    assert "answers 401" in run_import(monkeypatch, url)[1]
    assert "is REELRANK_KIBANA_URL right?" in run_import(monkeypatch, "http://127.0.0.1:1")[1]


def test_the_embedded_engine_has_no_kibana(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["kibana", "import"])
    assert result.exit_code == 2
    assert "set REELRANK_ENGINE" in result.output
