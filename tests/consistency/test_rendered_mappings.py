"""index_mappings/rendered/ holds, for each product and major, what the adapters send: it can be curled."""

from pathlib import Path

import orjson
import pytest

from reelrank.index_mappings.mapping import (
    SERVERS,
    Product,
    build_changes_index,
    build_events_template,
    build_impressions_template,
    build_items_index,
    build_requests_template,
)

RENDERED = Path(__file__).parents[2] / "index_mappings" / "rendered"


@pytest.mark.parametrize(("product", "major"), SERVERS)
def test_rendered_mappings_equal_the_code(product: Product, major: int, pytestconfig: pytest.Config) -> None:
    bodies = {
        "items.json": build_items_index(product),
        "events-template.json": build_events_template("reelrank-events"),
        "changes.json": build_changes_index(),
        "impressions-template.json": build_impressions_template("reelrank-impressions"),
        "requests-template.json": build_requests_template("reelrank-requests"),
    }
    home = RENDERED / f"{product}-{major}"
    for name, body in bodies.items():
        text = orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        if pytestconfig.getoption("--renew"):
            home.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(text)
        assert (home / name).read_bytes() == text, "run `pytest tests/consistency --renew` and read the diff"
