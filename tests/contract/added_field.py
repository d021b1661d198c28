"""A process in which events have two fields that they do not have in the code: `mood` and `volume`.

It posts an event, loads a file, scans the store and writes Parquet. Two more attributes of `Event` declare
the fields, and nothing else does. Its arguments are settings as JSON and a directory.
"""

import importlib.util
import json
import sys
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

LAST_ATTRIBUTE = "    # fmt: on\n"
DECLARATIONS = """
    mood: Annotated[str, EventField(KEYWORD, "How the viewer felt.", "this test", since=99)] = ""
    volume: Annotated[int | None, EventField(COUNT, "How loud it was.", "this test", since=99)] = None
"""
RETRY_S = 60.0
"""How long to send the event again, as clients do, while a slow server does not store it in time."""
POSTED = {
    "id": "posted",
    "kind": "watch",
    "user": "ada",
    "item": "alien",
    "at_ms": 7,
    "mood": "calm",
    "volume": 0,
}
CSV = "id,kind,user,item,at_ms,mood,volume\nloaded,watch,ada,alien,1970-01-01T00:00:09Z,tense,11\n"


def declare_fields() -> None:
    """Imports the module of events as if its source had the declarations."""
    spec = importlib.util.find_spec("reelrank.index_mappings.event")
    assert spec is not None
    assert isinstance(spec.loader, SourceFileLoader)
    assert spec.origin is not None
    source = Path(spec.origin).read_text()
    assert source.count(LAST_ATTRIBUTE) == 1
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    exec(compile(source.replace(LAST_ATTRIBUTE, DECLARATIONS), spec.origin, "exec"), vars(module))


def use_fields(settings: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Sends the fields through the API and a file; returns what other readers than the scan see of them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from reelrank.app.jobs.loading import LoadRequest, load_events
    from reelrank.app.settings import Settings
    from reelrank.app.web.application import WebOptions, create_app
    from reelrank.app.wiring import build_container, build_service
    from reelrank.index_mappings.mapping import build_events_template
    from reelrank.loaders.events.column_names import EVENT_COLUMNS
    from reelrank.loaders.fields.field_map import FieldRules
    from reelrank.loaders.files.source import open_source_files
    from reelrank.ranking.progress import ignore_progress

    container = build_container(Settings.model_validate(settings))
    client = create_app(build_service(container), WebOptions(1_000_000, directory)).test_client()
    until = time.monotonic() + RETRY_S
    while (answer := client.post("/v1/events", json=POSTED)).status_code in (503, 504):
        assert time.monotonic() < until, answer.text
        time.sleep(0.5)
    assert answer.status_code == 200, answer.text
    (directory / "events.csv").write_text(CSV)
    with open_source_files(str(directory / "events.csv"), None) as (files, _):
        load_events(container, LoadRequest(files, FieldRules(EVENT_COLUMNS)), ignore_progress)
    pq.write_table(pa.Table.from_batches(container.events.scan(0, 2**62)), directory / "events.parquet")
    (narrow,) = container.events.scan(0, 2**62, ("watch",), ("volume", "mood"))
    return {
        "narrow": narrow.to_pydict(),
        "recent": {event.id: getattr(event, "mood") for event in container.events.recent("ada", 9, 5.0)},  # noqa: B009  # mypy does not know the field
        "followed": container.events.follow(None)[0].to_pydict()["volume"],
        "template": build_events_template("x")["template"]["mappings"]["properties"],
        "openapi": json.dumps(client.get("/openapi.json").get_json()["components"]["schemas"]["EventRow"]),
    }


if __name__ == "__main__":
    declare_fields()
    sys.stdout.write(json.dumps(use_fields(json.loads(sys.argv[1]), Path(sys.argv[2]))))
