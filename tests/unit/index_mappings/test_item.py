"""Items: lists whose first value has a name of its own, also as earlier builds stored them."""

from typing import Any

import pytest

from reelrank.app.web.answers import serialize_item
from reelrank.app.web.api.item_bodies import ItemBody, build_item
from reelrank.index_mappings.item import Item, decode_item


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
