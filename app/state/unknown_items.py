"""Items that events name and the catalogue does not hold."""

from collections.abc import Iterator, Mapping

from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.match import encode_item_ids
from reelrank.ranking.items.table import ItemTable

FETCHED_AT_ONCE = 1000
FETCH_TIMEOUT_S = 30.0
EXAMPLES = 3


def find_unknown_items(
    events_by_item: Mapping[str, int], table: ItemTable, engine: SearchEngine
) -> dict[str, int]:
    """Returns the items that neither the table nor the engine holds, those with the most events first.

    The engine is asked for what the table lacks, because items may have been put since.
    """
    ids = [item_id for item_id in events_by_item if item_id]
    if not ids:
        return {}
    rows = table.find_rows(encode_item_ids(ids)).tolist()
    new = [item_id for item_id, row in zip(ids, rows, strict=True) if row < 0]
    unknown = sorted(_find_missing(new, engine), key=lambda item_id: (-events_by_item[item_id], item_id))
    return {item_id: events_by_item[item_id] for item_id in unknown}


def describe_unknown_items(unknown: Mapping[str, int], events: int) -> str:
    """Returns a sentence: how many of these events are of how many unknown items, with examples."""
    examples = ", ".join(list(unknown)[:EXAMPLES])
    plural = "" if len(unknown) == 1 else "s"
    return (
        f"{sum(unknown.values()):,} of {events:,} events are of {len(unknown):,} item{plural} that the "
        f"catalogue does not hold, such as {examples}; nothing is learned from them until these are loaded"
    )


def _find_missing(ids: list[str], engine: SearchEngine) -> Iterator[str]:
    for start in range(0, len(ids), FETCHED_AT_ONCE):
        batch = ids[start : start + FETCHED_AT_ONCE]
        items = engine.fetch(batch, FETCH_TIMEOUT_S)
        yield from (item_id for item_id, item in zip(batch, items, strict=True) if item is None)
