"""Conversion of documents of an external index to items."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from reelrank.app.engines.server.external.external_fields import parse_external_fields
from reelrank.app.settings import Settings
from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.item import Item
from tests.raised import raises_code


def test_fields_are_read_through_objects_lists_and_sub_fields() -> None:
    fields = parse_external_fields(
        "title=name, genres=categories.keyword, people=cast.name, duration_min=runtime"
    )
    source = {
        "name": "Alien",
        "categories": ["Horror"],
        "cast": [{"name": "Ann"}, {"name": "Bob"}],
        "runtime": "117",
    }
    assert fields.decode_item("a1", source) == Item(
        "a1", "Alien", genres=("Horror",), people=("Ann", "Bob"), duration_s=7020
    )


def test_a_title_is_read_without_control_characters() -> None:
    assert parse_external_fields("title=t").decode_item("a", {"t": "\ufeffA\x00"}) == Item("a", "A")
    assert parse_external_fields("title=t").decode_item("a", {"t": "\x00"}) is None


@pytest.mark.parametrize("name", ["country", "countries"])
def test_an_index_may_have_several_countries(name: str) -> None:
    item = parse_external_fields(f"title=t,{name}=made_in").decode_item(
        "a", {"t": "A", "made_in": ["NO", "IS"]}
    )
    assert item == Item("a", "A", countries=("NO", "IS"))


@pytest.mark.parametrize(
    ("names", "source", "published_at"),
    [
        ("published_at=d", {"d": "1979-05-25"}, datetime(1979, 5, 25, tzinfo=UTC)),
        ("published_at=d", {"d": "1979-05-25T10:00:00+02:00"}, datetime(1979, 5, 25, 8, tzinfo=UTC)),
        ("published_at=d", {"d": 296_438_400_000}, datetime(1979, 5, 25, tzinfo=UTC)),
        ("published_at=d", {"d": -144_460_800_000}, datetime(1965, 6, 4, tzinfo=UTC)),
        ("published_at=d", {"d": "1979"}, datetime(1979, 1, 1, tzinfo=UTC)),
        ("year=y", {"y": 1979}, datetime(1979, 1, 1, tzinfo=UTC)),
        ("published_at=d,year=y", {"d": "soon", "y": 1979}, datetime(1979, 1, 1, tzinfo=UTC)),
        ("published_at=d", {"d": "soon"}, None),
        ("published_at=d", {}, None),
    ],
)
def test_dates_are_read_in_every_format_of_an_index(
    names: str, source: dict[str, Any], published_at: datetime | None
) -> None:
    item = parse_external_fields(f"title=t,{names}").decode_item("a", {"t": "A", **source})
    assert item is not None
    assert item.published_at == published_at


@pytest.mark.parametrize(
    ("document_id", "source"),
    [("a", {}), ("a", {"t": ""}), ("with a space", {"t": "A"}), ("ä", {"t": "A"}), ("x" * 65, {"t": "A"})],
)
def test_a_document_that_cannot_be_an_item_is_skipped(document_id: str, source: dict[str, Any]) -> None:
    assert parse_external_fields("title=t").decode_item(document_id, source) is None


@pytest.mark.parametrize(
    ("text", "message"), [("name=title", "'name'"), ("genres=g", "title"), ("title=", "'title'")]
)
def test_an_invalid_field_mapping_is_refused(text: str, message: str) -> None:
    with raises_code(BadRequest, "invalid_engine_setting", match=message):
        parse_external_fields(text)


def test_an_external_index_needs_a_cluster_and_a_field_mapping() -> None:
    with pytest.raises(ValidationError, match="REELRANK_ENGINE_FIELDS"):
        Settings(engine="opensearch", engine_index="films")
    with pytest.raises(ValidationError, match="REELRANK_ENGINE "):
        Settings(engine_index="films", engine_fields="title=name")
