"""Items: lists whose first value has a name of its own, also as earlier builds stored them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelrank.app.web.answers import serialize_item
from reelrank.app.web.api.item_bodies import ItemBody, build_item
from reelrank.index_mappings.item import Item, decode_item, is_blank, remove_controls


@pytest.mark.parametrize(
    ("stored", "countries"),
    [
        ({"countries": ["Norway", "Iceland"]}, ("Norway", "Iceland")),
        ({"country": "Norway"}, ("Norway",)),
        ({"country": "Norway", "countries": ["Norway", "Iceland"]}, ("Norway", "Iceland")),
        ({"country": ""}, ()),
        ({}, ()),
    ],
)
def test_stored_items_of_every_build_are_read(stored: dict[str, Any], countries: tuple[str, ...]) -> None:
    assert decode_item({"id": "a", "title": "A", **stored}) == Item("a", "A", countries=countries)


@pytest.mark.parametrize(
    ("body", "languages"),
    [
        ({"language": "Norwegian"}, ("Norwegian",)),
        ({"languages": ["Norwegian", "Sami"]}, ("Norwegian", "Sami")),
        ({"language": "Sami", "languages": ["Norwegian", "Sami"]}, ("Sami", "Norwegian")),
        ({}, ()),
    ],
)
def test_a_put_may_state_one_language_or_several(body: dict[str, Any], languages: tuple[str, ...]) -> None:
    item = build_item("a", ItemBody.model_validate({"title": "A", **body}))
    assert item.languages == languages
    assert serialize_item(item).get("language", "") == item.language == (languages or ("",))[0]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [("He\x00at", "Heat"), ("\ufeff Heat", "Heat"), ("Heat\r\n\t1995\x85", "Heat 1995"),
     ("He\x1b\x9fat", "Heat"), ("Amélie \u200d x", "Amélie \u200d x")],
)  # fmt: skip
def test_a_title_is_stored_without_control_characters(sent: str, stored: str) -> None:
    assert build_item("a", ItemBody.model_validate({"title": sent})).title == stored


@given(title=st.text())
def test_only_control_characters_are_removed_from_a_title(title: str) -> None:
    cleaned = remove_controls(title)
    assert remove_controls(cleaned) == cleaned
    assert is_blank(cleaned) == is_blank(title)
    assert [mark for mark in cleaned if not is_blank(mark)] == [mark for mark in title if not is_blank(mark)]
