"""What is wrong with the stored events: some are of the future, or of items that are in no catalogue."""

from collections import Counter
from datetime import UTC, datetime

import pyarrow.compute as pc

from reelrank.app.clock import to_ms
from reelrank.app.state.unknown_items import EXAMPLES, describe_unknown_items, find_unknown_items
from reelrank.app.wiring import Container
from reelrank.index_mappings.event import MAX_TIME_MS, USER_ACTIONS
from reelrank.loaders.events.event_rows import MAX_CLOCK_SKEW
from reelrank.ranking.items.table import TableError, open_table


def find_event_problems(container: Container, version: str | None, status: dict[str, object]) -> list[str]:
    """Finds problems of the stored events, and adds events of unknown items to the status.

    A few of them are of items that were deleted: they are a problem only above the share of rows that a load
    may reject.
    """
    problems = _find_future_events(container)
    try:
        table = None if version is None else open_table(container.settings.tables_dir / version)
    except TableError:  # the checks of the index name it
        table = None
    if table is None:
        return problems
    counts = _count_events_by_item(container)
    unknown = find_unknown_items(counts, table, container.engine)
    if unknown:
        sentence = describe_unknown_items(unknown, counts.total())
        status["unknown items"] = sentence
        if sum(unknown.values()) > container.settings.reject_share_max * counts.total():
            problems.append(f"{sentence}; compare the ids of the events with those of the catalogue")
    return problems


def _find_future_events(container: Container) -> list[str]:
    from_ms = to_ms(container.clock.now() + MAX_CLOCK_SKEW)
    count, examples = 0, list[str]()
    for batch in container.events.scan(from_ms, MAX_TIME_MS, columns=("id", "kind", "item", "at_ms")):
        count += len(batch)
        examples += [
            f"{row['id']} ({row['kind']} of {row['item'] or 'nothing'} at {_format_ms(row['at_ms'])})"
            for row in batch.slice(0, EXAMPLES - len(examples)).to_pylist()
        ]
    if not count:
        return []
    plural = "event is" if count == 1 else "events are"
    return [
        f"{count:,} {plural} of the future, such as {', '.join(examples)}: a clock was wrong, and they count "
        f"as the newest; run: reelrank events withdraw --at-from {_format_ms(from_ms)} --dry-run"
    ]


def _count_events_by_item(container: Container) -> Counter[str]:
    """Counts what viewers did by item. What they were shown was in the catalogue then."""
    counts = Counter[str]()
    for batch in container.events.scan(0, MAX_TIME_MS, USER_ACTIONS, ("item",)):
        for pair in pc.value_counts(batch.column("item")).to_pylist():
            if pair["values"]:
                counts[pair["values"]] += pair["counts"]
    return counts


def _format_ms(time_ms: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"
