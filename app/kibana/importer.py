"""Imports saved objects into Kibana or OpenSearch Dashboards and reports the result of each."""

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from reelrank.app.http_client import HttpClient, HttpRequest, ResponseTooLarge
from reelrank.index_mappings.errors import BadRequest, Unavailable

Product = Literal["elasticsearch", "opensearch"]
DEFAULT_PREFIX = "reelrank-"
IMPORT_TIMEOUT_S = 60.0
IMPORT_PATH = "/api/saved_objects/_import?overwrite=true"
MAX_RESPONSE_BYTES = 16_000_000
XSRF_HEADERS: dict[Product, str] = {"elasticsearch": "kbn-xsrf", "opensearch": "osd-xsrf"}
"""Header that each product requires of a request that changes something."""


@dataclass(frozen=True, slots=True)
class ImportTarget:
    """Address and credentials of the product. An api_key takes precedence over name and password."""

    url: str
    product: Product
    username: str = ""
    password: str = ""
    api_key: str = ""

    def build_headers(self) -> dict[str, str]:
        headers = {XSRF_HEADERS[self.product]: "true"}
        if self.api_key:
            headers["Authorization"] = f"ApiKey {self.api_key}"
        elif self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return headers


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of one object. problem: empty when it was imported."""

    kind: str
    id: str
    problem: str = ""


def read_import_file(product: Product, prefix: str = DEFAULT_PREFIX) -> bytes:
    """Returns the saved objects of a product, one per line. prefix: of every index and object id."""
    content = Path(__file__).with_name(f"{product}.ndjson").read_bytes()
    return content.replace(DEFAULT_PREFIX.encode(), prefix.encode())


def import_objects(target: ImportTarget, import_file: bytes) -> list[ImportResult]:
    """Imports the objects of a file, replacing those that exist, and returns the result of each.

    Raises BadRequest if the request is rejected, Unavailable if there is no response of Kibana.
    """
    answer = _send(target, import_file)
    failed = {
        (entry["type"], entry["id"]): _describe_error(entry["error"]) for entry in answer.get("errors", [])
    }
    imported = {(entry["type"], entry["id"]) for entry in answer.get("successResults", [])}
    sent = [orjson.loads(line) for line in import_file.splitlines()]
    is_complete = bool(answer.get("success"))
    return [_build_result((entry["type"], entry["id"]), failed, imported, is_complete) for entry in sent]


def _send(target: ImportTarget, import_file: bytes) -> Any:
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="reelrank.ndjson"\r\n'
        "Content-Type: application/ndjson\r\n\r\n"
    )
    body = head.encode() + import_file + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    request = HttpRequest("POST", IMPORT_PATH, body, target.build_headers() | headers)
    url = target.url.rstrip("/") + IMPORT_PATH
    try:
        response = HttpClient(target.url, MAX_RESPONSE_BYTES).send(request, IMPORT_TIMEOUT_S)
        if response.status != 200:
            detail = response.body[:300].decode(errors="replace")
            raise BadRequest(
                f"{url} answers {response.status}: {detail}; are address, name and password right?",
                code="dashboards_rejected",
            )
        return orjson.loads(response.body)
    except (ValueError, OSError, ResponseTooLarge) as error:
        reason = f"{url} does not answer as Kibana does ({error})"
        raise Unavailable(
            f"{reason}; is REELRANK_KIBANA_URL right?", code="dashboards_unreachable"
        ) from error


def _build_result(
    key: tuple[str, str],
    failed: dict[tuple[str, str], str],
    imported: set[tuple[str, str]],
    is_complete: bool,
) -> ImportResult:
    """Returns the result of an object; one that the response does not name shares that of the import."""
    if key in failed:
        return ImportResult(*key, failed[key])
    return ImportResult(*key, "" if is_complete or key in imported else "not imported")


def _describe_error(error: dict[str, object]) -> str:
    more = error.get("references") or error.get("message") or ""
    return f"{error.get('type', 'rejected')} {orjson.dumps(more).decode() if more else ''}".strip()
