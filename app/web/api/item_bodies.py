"""The bodies of requests that change items, the items that they state, and the shapes of the answers."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from reelrank.app.web.api.answer_models import Answer
from reelrank.app.web.api.parameters import ItemId, Parameters
from reelrank.app.web.problems import InvalidRequest
from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.item import (
    MAX_TITLE_LENGTH,
    SINGULAR_NAMES,
    Item,
    is_blank,
    put_first,
    remove_controls,
)
from reelrank.loaders.fields.field_errors import list_errors

MAX_BATCH = 1000

ShortText = Annotated[str, Field(min_length=1, max_length=MAX_TITLE_LENGTH)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=200)]
ShortTexts = Annotated[tuple[ShortText, ...], Field(max_length=200)]


def check_json_integer(value: Any) -> Any:
    """Rejects true, false and text, which pydantic would turn into numbers."""
    if isinstance(value, bool | str):
        raise ValueError("send a number")
    return value


Year = Annotated[int, Field(ge=1, le=9999), BeforeValidator(check_json_integer)]
DurationSeconds = Annotated[int, Field(ge=0, le=10_000_000), BeforeValidator(check_json_integer)]


def clean_title(title: str) -> str:
    """Returns a title without control characters. Rejects one of which nothing would be seen."""
    if is_blank(title):
        raise ValueError("send a title with at least one visible character")
    return remove_controls(title)


Title = Annotated[ShortText, AfterValidator(clean_title)]


class ItemBody(Parameters):
    """The fields of an item. A PUT replaces the whole item, so absent fields become empty.

    `id` and `year` may be sent as an answer has them: the address states the id, and published_at the year.
    """

    id: ItemId | None = Field(None, description="If it is stated, the id in the address.")
    title: Title
    description: str = Field("", max_length=20_000)
    tags: ShortTexts = ()
    genres: ShortTexts = ()
    people: ShortTexts = ()
    languages: Names = ()
    countries: Names = ()
    language: str = Field("", max_length=64, description="The first language.")
    country: str = Field("", max_length=64, description="The first country.")
    published_at: AwareDatetime | None = None
    year: Year | None = Field(
        None, description="Of an answer; it is not read, because `published_at` has it."
    )
    duration_s: DurationSeconds | None = None
    thumbnail: str = Field("", max_length=2000)
    source_id: str = Field(
        "", max_length=2000, description="The id in the catalogue, when `id` is a hash of it."
    )

    @field_validator("published_at", mode="before")
    @classmethod
    def _parse_date(cls, value: Any) -> Any:
        if not isinstance(value, str | None):
            raise ValueError("send a date and time as text, such as 2026-11-24T10:00:00Z, or a date")
        if value is not None and len(value) == len("2026-11-24"):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        return value

    def list_item_fields(self) -> dict[str, Any]:
        """Returns the fields of an `Item`: a language or country by its singular name is the first one."""
        fields = {name: value for name, value in self if name != "year"}
        lists = {
            plural: put_first(fields.pop(name), fields[plural]) for plural, name in SINGULAR_NAMES.items()
        }
        return fields | lists


class ItemWithIdBody(ItemBody):
    id: ItemId


def _describe_null(schema: dict[str, Any]) -> None:
    """Lets OpenAPI say that null empties each field but the title."""
    for name, field in schema["properties"].items():
        if name != "title" and "anyOf" not in field:
            outer = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
            schema["properties"][name] = {"anyOf": [field, {"type": "null"}], **outer}


class ItemPatchBody(ItemBody):
    """The fields to change; absent fields stay as they are. An empty text or list, or null, empties
    a field."""

    model_config = ConfigDict(json_schema_extra=_describe_null)

    title: Title = Field(default_factory=str)  # which /openapi.json does not show as a default

    @model_validator(mode="before")
    @classmethod
    def _read_null_as_empty(cls, body: Any) -> Any:
        """Replaces null by the default of its field; the title has none, so null is rejected there."""
        if not isinstance(body, dict):
            return body
        empty = {name: field.get_default() for name, field in cls.model_fields.items() if name != "title"}
        return {name: empty.get(name) if value is None else value for name, value in body.items()}


class ItemIdsBody(Parameters):
    ids: list[ItemId] = Field(min_length=1, max_length=MAX_BATCH)


class CatalogueParameters(Parameters):
    limit: int = Field(100, ge=1, le=MAX_BATCH, description="Items per page.")
    cursor: ItemId | None = Field(None, description="Cursor of the previous page: its last id.")


def describe_bulk_body(item: dict[str, Any]) -> dict[str, Any]:
    """Returns the request body for OpenAPI. Flask does not parse it: JSON lines are accepted, too."""
    rows = {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_BATCH}
    lines = {"type": "string", "description": "One JSON object per line."}
    content = {"application/json": {"schema": rows}, "application/x-ndjson": {"schema": lines}}
    return {"content": content, "required": True}


def check_id(item_id: str, body: ItemBody) -> None:
    """Raises InvalidRequest when a body states another id than the address does."""
    if body.id not in (None, item_id):
        raise InvalidRequest(("id", f"the address names the item {item_id}; state the same id, or none"))


def build_item(item_id: str, body: ItemBody) -> Item:
    """Builds the item of an address from its parsed fields. Raises InvalidRequest, BadRequest."""
    check_id(item_id, body)
    try:
        return Item(**body.list_item_fields() | {"id": item_id})
    except ValueError as error:
        raise BadRequest(str(error), code="item_rejected") from error


def change_item(item: Item, body: ItemPatchBody) -> Item:
    """Returns the item with the fields that the body states replaced. Raises InvalidRequest, BadRequest."""
    check_id(item.id, body)
    changes = {name: getattr(body, name) for name in body.model_fields_set - {"id", "year"}}
    for plural, name in SINGULAR_NAMES.items():
        if name in changes:
            changes[plural] = put_first(changes.pop(name), changes.get(plural, getattr(item, plural)))
    try:
        return replace(item, **changes)
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
            reasons = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in list_errors(error)]
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


class ItemWrittenAnswer(Answer):
    id: str
    written: bool


class ItemDeletedAnswer(Answer):
    id: str
    deleted: bool


class RejectedItemAnswer(Answer):
    """An item that was not written: its row in the body, from 0, or its id, and the reason."""

    row: int | SkipJsonSchema[None] = None
    id: str | SkipJsonSchema[None] = None
    reason: str


class BulkAnswer(Answer):
    """`read` is `written` plus the number of rejected items."""

    read: int
    written: int
    rejected: list[RejectedItemAnswer]
