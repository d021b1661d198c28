"""Files that are generated from the code: server mappings, Kibana imports and tables of the documentation.

`make generate` writes them; test_generated_files.py checks that they are up to date.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import orjson

from deploy.kibana.saved_objects import SavedObjectBuilder
from reelrank.app.kibana.importer import Product as KibanaProduct
from reelrank.app.settings import Settings
from reelrank.app.web.problem_codes import list_command_problems, list_http_problems
from reelrank.index_mappings.decision import CANDIDATES, COLUMNS_BY_TABLE, EVENTS, REQUESTS
from reelrank.index_mappings.event import EVENT_FIELDS, EventField
from reelrank.index_mappings.mapping import (
    SERVERS,
    Product,
    build_changes_index,
    build_events_template,
    build_impressions_template,
    build_items_index,
    build_requests_template,
)
from reelrank.ranking.features.compute import FEATURES

ROOT = Path(__file__).parents[2]
RENDERED = ROOT / "index_mappings" / "rendered"
DOCS = ROOT / "docs"
Table = Callable[[], str]


def render_files() -> Iterator[tuple[Path, bytes]]:
    """Yields each generated file and what it must contain."""
    for product, major in SERVERS:
        for name, body in build_mappings(product).items():
            text = orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            yield RENDERED / f"{product}-{major}" / name, text
    for kibana_product in get_args(KibanaProduct):
        path = ROOT / "app" / "kibana" / f"{kibana_product}.ndjson"
        yield path, SavedObjectBuilder(kibana_product).build_import_file()
    for name, tables in TABLES.items():
        yield DOCS / name, replace_tables((DOCS / name).read_text(), tables).encode()


def build_mappings(product: Product) -> dict[str, dict[str, Any]]:
    """Returns the request bodies that the adapter of a server sends, by the name of their file."""
    return {
        "items.json": build_items_index(product),
        "events-template.json": build_events_template("reelrank-events"),
        "changes.json": build_changes_index(),
        "impressions-template.json": build_impressions_template("reelrank-impressions"),
        "requests-template.json": build_requests_template("reelrank-requests"),
    }


def replace_tables(page: str, tables: dict[str, Table]) -> str:
    """Replaces what stands between `<!-- generated: NAME -->` and `<!-- end -->` for each table."""
    for name, build_table in tables.items():
        marked = re.compile(
            rf"(?<=<!-- generated: {name} -->\n)(?:(?!<!-- generated).)*?(?=<!-- end -->)", re.DOTALL
        )
        if (count := len(marked.findall(page))) != 1:
            raise ValueError(f"the page has {count} places for the table `{name}`; it needs exactly one")
        page = marked.sub(build_table().replace("\\", r"\\"), page)
    return page


def build_events_table() -> str:
    rows = [_describe_event_field(field) for field in EVENT_FIELDS]
    return format_table(("field", "type", "meaning", "version", "personal", "read by"), rows)


def build_problems_table() -> str:
    rows = [(f"`{p.code}`", str(p.status), p.meaning, p.remedy) for p in list_http_problems()]
    return format_table(("code", "status", "meaning", "what to do"), rows)


def build_command_problems_table() -> str:
    rows = [(f"`{p.code}`", str(p.exit_code), p.meaning, p.remedy) for p in list_command_problems()]
    return format_table(("code", "exit code", "meaning", "what to do"), rows)


def build_features_table() -> str:
    rows = [(f"`{f.name}`", f.group, _quote(f.reads), str(f.missing), f.description) for f in FEATURES]
    return format_table(("feature", "group", "signals read", "when missing", "meaning"), rows)


def build_settings_table() -> str:
    rows = [
        (f"`REELRANK_{name.upper()}`", f"`{field.default}`", field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return format_table(("setting", "default", "meaning"), rows)


def build_lake_table(table: str) -> str:
    rows = [
        (
            f"`{c.name}`",
            f"`{c.type}`",
            "yes" if c.nullable else "",
            "yes" if c.personal else "",
            c.description,
        )
        for c in COLUMNS_BY_TABLE[table]
    ]
    return format_table(("column", "type", "nullable", "personal", "meaning"), rows)


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Formats a Markdown table."""
    divider = f"|{'---|' * len(head)}"
    first, *others = (f"| {' | '.join(cells)} |" for cells in (head, *rows))
    return "\n".join([first, divider, *others, ""])


def _describe_event_field(field: EventField) -> tuple[str, ...]:
    choices = [choice for choice in get_args(field.python_type) if isinstance(choice, str) and choice]
    field_type = f"one of {_quote(tuple(choices))}" if choices else field.type.name
    required = " Required." if field.is_required and field.name not in ("id", "at_ms") else ""
    personal = "yes" if field.personal else ""
    meaning = f"{field.description}{required}"
    return f"`{field.name}`", field_type, meaning, str(field.since), personal, field.read_by


def _quote(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


TABLES: dict[str, dict[str, Table]] = {
    "api.md": {
        "events": build_events_table,
        "problem codes": build_problems_table,
        "problem codes of commands": build_command_problems_table,
    },
    "data.md": {
        "requests": partial(build_lake_table, REQUESTS),
        "candidates": partial(build_lake_table, CANDIDATES),
        "lake events": partial(build_lake_table, EVENTS),
    },
    "features.md": {"features": build_features_table},
    "settings.md": {"settings": build_settings_table},
}
"""The tables of each page of the documentation."""


def write_files() -> None:
    for path, content in render_files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    write_files()
