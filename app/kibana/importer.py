"""The saved objects API of Kibana and OpenSearch Dashboards: one file in, what became of each object out."""

import base64
import secrets
from dataclasses import dataclass

import orjson

from reelrank.app.http_client import HttpClient, HttpRequest, ResponseTooLarge
from reelrank.app.kibana.saved_objects import Product
from reelrank.index_mappings.errors import BadRequest, Unavailable

IMPORT_TIMEOUT_S = 60.0
IMPORT_PATH = "/api/saved_objects/_import?overwrite=true"
MAX_RESPONSE_BYTES = 16_000_000
XSRF_HEADERS: dict[Product, str] = {"elasticsearch": "kbn-xsrf", "opensearch": "osd-xsrf"}
"""Each refuses a request that changes something without its own header."""


@dataclass(frozen=True, slots=True)
class ImportTarget:
    """Where to import to and as whom; api_key goes before a name and password."""

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
    """What became of one object; problem is empty when it is there."""

    kind: str
    id: str
    problem: str = ""


def import_objects(target: ImportTarget, import_file: bytes) -> list[ImportResult]:
    """Each object of the file with its result; what was there is replaced. Raises Unavailable, BadRequest."""
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="reelrank.ndjson"\r\n'
        "Content-Type: application/ndjson\r\n\r\n"
    )
    body = head.encode() + import_file + f"\r\n--{boundary}--\r\n".encode()
    url = target.url.rstrip("/") + IMPORT_PATH
    kind = f"multipart/form-data; boundary={boundary}"
    request = HttpRequest("POST", IMPORT_PATH, body, target.build_headers() | {"Content-Type": kind})
    try:
        response = HttpClient(target.url, MAX_RESPONSE_BYTES).send(request, IMPORT_TIMEOUT_S)
        if response.status != 200:
            said = response.body[:300].decode(errors="replace")
            reason = f"{url} answers {response.status}: {said}"
            raise BadRequest(f"{reason}; are address, name and password right?")
        answer = orjson.loads(response.body)
    except (ValueError, OSError, ResponseTooLarge) as error:
        what = f"{url} does not answer as Kibana does ({error}); is REELRANK_KIBANA_URL right?"
        raise Unavailable(what) from error
    failed = {(each["type"], each["id"]): _describe_error(each["error"]) for each in answer.get("errors", [])}
    asked = [orjson.loads(line) for line in import_file.splitlines()]
    done = {(each["type"], each["id"]) for each in answer.get("successResults", [])}
    whole = bool(answer.get("success"))
    return [_build_result((each["type"], each["id"]), failed, done, whole) for each in asked]


def _build_result(
    key: tuple[str, str],
    failed: dict[tuple[str, str], str],
    imported: set[tuple[str, str]],
    is_whole_imported: bool,
) -> ImportResult:
    """An object that is not named stands or falls with the whole."""
    if key in failed:
        return ImportResult(*key, failed[key])
    return ImportResult(*key, "" if is_whole_imported or key in imported else "not imported")


def _describe_error(error: dict[str, object]) -> str:
    more = error.get("references") or error.get("message") or ""
    return f"{error.get('type', 'refused')} {orjson.dumps(more).decode() if more else ''}".strip()
