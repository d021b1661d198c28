"""Saved objects of Kibana: fields are mapped, references lead to objects, and any prefix works."""

import re
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from deploy.kibana.dashboards import DASHBOARDS, PANELS
from deploy.kibana.saved_objects import FORMATS, SEARCHES, SavedObjectBuilder
from reelrank.app.kibana.importer import Product, read_import_file
from reelrank.index_mappings.mapping import SERVERS

ROOT = Path(__file__).parents[2]
PRODUCTS: tuple[Product, ...] = get_args(Product)


def read_mapping(product: str, major: int, index: str) -> dict[str, Any]:
    home = ROOT / "index_mappings" / "rendered" / f"{product}-{major}"
    if index == "items":
        items: dict[str, Any] = orjson.loads((home / "items.json").read_bytes())["mappings"]["properties"]
        return items
    template = orjson.loads((home / f"{index}-template.json").read_bytes())["template"]
    events: dict[str, Any] = template["mappings"]["properties"]
    return events


def find_queried_fields(query: object) -> set[str]:
    """Names behind `field`, and of `term` queries."""
    if isinstance(query, list):
        return set().union(*map(find_queried_fields, query))
    if not isinstance(query, dict):
        return set()
    found = set().union(*(find_queried_fields(value) for value in query.values()))
    if isinstance(query.get("field"), str):
        found.add(query["field"])
    return found | set(query.get("term", {}))


@pytest.mark.parametrize(("product", "major"), SERVERS)
def test_every_field_is_mapped_and_counted_fields_aggregate(product: str, major: int) -> None:
    for panel in PANELS:
        fields = read_mapping(product, major, panel.dataset)
        named = find_queried_fields(panel.aggregation)
        assert named, panel.id
        assert named <= set(fields), panel.id
        counted = {name for name in named if "must_not" not in str(panel.aggregation)}
        for name in counted:
            assert fields[name]["type"] != "text", (panel.id, name)
            assert fields[name].get("doc_values", True), (panel.id, name)
    for of, formats in FORMATS.items():
        assert set(formats) <= set(read_mapping(product, major, of))
    for search in SEARCHES:
        columns = {*search.columns, *re.findall(r"(\w+):", search.kql)}
        assert columns <= set(read_mapping(product, major, search.dataset)), search.id


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_reference_points_to_an_earlier_object(product: Product) -> None:
    seen = set[tuple[str, str]]()
    for each in SavedObjectBuilder(product, "own-").build_objects():
        for reference in each["references"]:
            assert (reference["type"], reference["id"]) in seen
        assert each["id"].startswith("own-")
        seen.add((each["type"], each["id"]))
    assert len([kind for kind, _ in seen if kind == "visualization"]) == len(PANELS)
    assert len([kind for kind, _ in seen if kind == "dashboard"]) == len(DASHBOARDS) == 3


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("prefix", ["reelrank-", "own-", "a", "reelrank-reelrank-"])
def test_the_import_file_can_have_another_prefix(product: Product, prefix: str) -> None:
    assert read_import_file(product, prefix) == SavedObjectBuilder(product, prefix).build_import_file()


def test_panels_of_a_dashboard_do_not_overlap() -> None:
    for each in SavedObjectBuilder("elasticsearch").build_objects():
        if each["type"] == "dashboard":
            grid = [panel["gridData"] for panel in orjson.loads(each["attributes"]["panelsJSON"])]
            assert len({(place["x"], place["y"]) for place in grid}) == len(grid) == len(each["references"])
            assert all(place["x"] + place["w"] <= 48 for place in grid)
