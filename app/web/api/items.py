"""Items over HTTP: read, write or delete one item, or write a batch."""

from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from flask import Response, jsonify, request
from flask_openapi import APIBlueprint, Tag
from pydantic import AwareDatetime, Field, ValidationError, field_validator

from reelrank.app.search.hydration import FETCH_TIMEOUT_S
from reelrank.app.search.service import SearchService
from reelrank.app.web.answers import serialize_item
from reelrank.app.web.api.parameters import ItemId, ItemPath, Parameters
from reelrank.app.web.problems import InvalidRequest
from reelrank.index_mappings.encoder import choose_encoder
from reelrank.index_mappings.errors import BadRequest, ItemNotFound
from reelrank.index_mappings.item import SINGULAR_NAMES, Item, put_first
from reelrank.loaders.items.catalogue import encode_documents

ITEMS_TAG = Tag(name="items", description="The catalogue: one item or a batch at a time.")
MAX_BATCH = 1000

ShortText = Annotated[str, Field(min_length=1, max_length=300)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=200)]
ShortTexts = Annotated[tuple[ShortText, ...], Field(max_length=200)]


class ItemBody(Parameters):
    """The fields of an item. A PUT replaces the whole item, so absent fields become empty."""

    title: ShortText
    description: str = Field("", max_length=20_000)
    tags: ShortTexts = ()
    genres: ShortTexts = ()
    people: ShortTexts = ()
    languages: Names = ()
    countries: Names = ()
    language: str = Field("", max_length=64, description="The first language.")
    country: str = Field("", max_length=64, description="The first country.")
    published_at: AwareDatetime | None = None
    duration_s: int | None = Field(None, ge=0, le=10_000_000)
    thumbnail: str = Field("", max_length=2000)

    @field_validator("published_at", mode="before")
    @classmethod
    def _parse_date(cls, value: Any) -> Any:
        if isinstance(value, str) and len(value) == len("2026-11-24"):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        return value

    def list_item_fields(self) -> dict[str, Any]:
        """Returns the fields of an `Item`: a language or country by its singular name is the first one."""
        fields = dict(self)
        lists = {
            plural: put_first(fields.pop(name), fields[plural]) for plural, name in SINGULAR_NAMES.items()
        }
        return fields | lists


class ItemWithIdBody(ItemBody):
    id: ItemId


def create_items_api(service: SearchService) -> APIBlueprint:
    api = APIBlueprint("items", __name__, url_prefix="/v1", abp_tags=[ITEMS_TAG])

    @api.get("/items/<path:item_id>")
    def read(path: ItemPath) -> Response:
        """Read one item."""
        (item,) = service.engine.fetch([path.item_id], FETCH_TIMEOUT_S)
        if item is None:
            raise ItemNotFound(f"there is no item {path.item_id}")
        return jsonify(serialize_item(item))

    @api.put("/items/<path:item_id>")
    def write(path: ItemPath, body: ItemBody) -> Response:
        """Write one item. It is durable once answered and searchable within two seconds."""
        _, rejected = upsert_items(service, [build_item(path.item_id, body)])
        if rejected:
            raise BadRequest(
                f"item {path.item_id} cannot be written: {rejected[0]['reason']}", code="item_rejected"
            )
        return jsonify(id=path.item_id, written=True)

    @api.delete("/items/<path:item_id>")
    def delete(path: ItemPath) -> Response:
        """Delete one item. No page shows it from then on."""
        if not service.engine.delete([path.item_id]):
            raise ItemNotFound(f"there is no item {path.item_id}")
        return jsonify(id=path.item_id, deleted=True)

    @api.post("/items:bulk")
    def write_many() -> Response:
        """Write up to 1000 items, as a JSON list or one JSON object per line; invalid items are reported."""
        items, invalid = parse_items(request.get_data())
        written, rejected = upsert_items(service, items)
        return jsonify(read=len(items) + len(invalid), written=written, rejected=invalid + rejected)

    return api


def upsert_items(service: SearchService, items: list[Item]) -> tuple[int, list[dict[str, Any]]]:
    """Writes items. Returns how many were written, and the id and reason of each rejected item."""
    written, rejected = 0, list[dict[str, Any]]()
    version = service.refresher.state.version if service.refresher.is_ready else ""
    encoder = choose_encoder(service.encoder, version)
    for batch in encode_documents(items, encoder):
        report = service.engine.upsert(batch)
        written += report.written
        rejected += [{"id": each.id, "reason": each.reason} for each in report.rejected]
    return written, rejected


def build_item(item_id: str, body: ItemBody) -> Item:
    """Builds an item from its parsed fields. Raises BadRequest."""
    try:
        return Item(item_id, **body.list_item_fields())
    except ValueError as error:
        raise BadRequest(str(error), code="item_rejected") from error


def parse_items(body: bytes) -> tuple[list[Item], list[dict[str, Any]]]:
    """Parses items, and lists invalid rows by number (from 0) with the reason. Raises InvalidRequest."""
    rows = _parse_rows(body)
    if not 1 <= len(rows) <= MAX_BATCH:
        raise InvalidRequest(("body", f"it holds {len(rows)} items; send 1 to {MAX_BATCH}"))
    items, invalid = list[Item](), list[dict[str, Any]]()
    for number, row in enumerate(rows):
        try:
            items.append(Item(**ItemWithIdBody.model_validate(row).list_item_fields()))
        except ValidationError as error:
            reasons = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            invalid.append({"row": number, "reason": "; ".join(reasons)})
        except ValueError as error:
            invalid.append({"row": number, "reason": str(error)})
    return items, invalid


def _parse_rows(body: bytes) -> list[Any]:
    try:
        if body.lstrip().startswith(b"["):
            rows: list[Any] = orjson.loads(body)
            return rows
        return [orjson.loads(line) for line in body.splitlines() if line.strip()]
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(("body", f"it is neither a JSON list nor JSON lines ({error})")) from error
