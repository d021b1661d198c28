"""deploy/kibana/ holds what is imported; every field it names is mapped, every reference leads somewhere."""

import re
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from app.kibana.panels import DASHBOARDS, PANELS
from app.kibana.saved_objects import FORMATS, SEARCHES, House, Product
from index_mappings.mapping import SERVERS

ROOT = Path(__file__).parents[2]
PRODUCTS: tuple[Product, ...] = get_args(Product)


def mapped(product: str, major: int, of: str) -> dict[str, Any]:
    home = ROOT / "index_mappings" / "rendered" / f"{product}-{major}"
    if of == "items":
        items: dict[str, Any] = orjson.loads((home / "items.json").read_bytes())["mappings"]["properties"]
        return items
    template = orjson.loads((home / f"{of}-template.json").read_bytes())["template"]
    events: dict[str, Any] = template["mappings"]["properties"]
    return events


def asked_fields(question: object) -> set[str]:
    """Names behind `field`, and of `term` queries."""
    if isinstance(question, list):
        return set().union(*map(asked_fields, question))
    if not isinstance(question, dict):
        return set()
    found = set().union(*(asked_fields(value) for value in question.values()))
    if isinstance(question.get("field"), str):
        found.add(question["field"])
    return found | set(question.get("term", {}))


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_import_files_are_what_the_code_makes(product: Product, pytestconfig: pytest.Config) -> None:
    path, made = ROOT / "deploy" / "kibana" / f"{product}.ndjson", House(product).import_file()
    if pytestconfig.getoption("--renew"):
        path.write_bytes(made)
    assert path.read_bytes() == made, "run `pytest tests/house --renew` and read the diff"


@pytest.mark.parametrize(("product", "major"), SERVERS)
def test_every_field_that_is_named_is_mapped_and_every_counted_one_can_be_counted(
    product: str, major: int
) -> None:
    for panel in PANELS:
        fields = mapped(product, major, panel.of)
        named = asked_fields(panel.question)
        assert named, panel.id
        assert named <= set(fields), panel.id
        counted = {name for name in named if "must_not" not in str(panel.question)}
        for name in counted:
            assert fields[name]["type"] != "text", (panel.id, name)
            assert fields[name].get("doc_values", True), (panel.id, name)
    for of, formats in FORMATS.items():
        assert set(formats) <= set(mapped(product, major, of))
    for search in SEARCHES:
        columns = {*search.columns, *re.findall(r"(\w+):", search.kql)}
        assert columns <= set(mapped(product, major, search.of)), search.id


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_reference_leads_to_an_object_before_it(product: Product) -> None:
    seen = set[tuple[str, str]]()
    for each in House(product, "own-").objects():
        for reference in each["references"]:
            assert (reference["type"], reference["id"]) in seen
        assert each["id"].startswith("own-")
        seen.add((each["type"], each["id"]))
    assert len([kind for kind, _ in seen if kind == "visualization"]) == len(PANELS)
    assert len([kind for kind, _ in seen if kind == "dashboard"]) == len(DASHBOARDS) == 3


def test_a_dashboard_holds_its_panels_beside_and_below_each_other_without_overlap() -> None:
    for each in House("elasticsearch").objects():
        if each["type"] == "dashboard":
            grid = [panel["gridData"] for panel in orjson.loads(each["attributes"]["panelsJSON"])]
            assert len({(place["x"], place["y"]) for place in grid}) == len(grid) == len(each["references"])
            assert all(place["x"] + place["w"] <= 48 for place in grid)
