"""Live items of the serving version: read from the engine and appended to the item table of a worker."""

import time
from dataclasses import dataclass

import structlog

from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.item import Document
from reelrank.index_mappings.match import encode_item_ids
from reelrank.ranking.items.live_items import append_items
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.retrieval.recency import find_newest

log = structlog.get_logger("reelrank.live_items")

MAX_LIVE_ITEMS = 20_000
"""Appended items that a table may have. Beyond it they wait for the next load or training run."""
PAUSE_FACTOR = 20
"""A large table costs half a second to append to: a stream of new items takes a twentieth of one core."""


@dataclass(slots=True)
class LiveItems:
    """Follows the live changes of one index version. size: of the table when it was opened.

    position: of the changes that were read; None before the first read.
    """

    version: str
    size: int
    position: str | None = None
    read_again_at: float = 0.0

    def append_new(self, table: ItemTable, engine: SearchEngine) -> ItemTable:
        """Returns the table with the items that were put since the last call. Raises EngineError.

        Items that are in the table already keep the facts it has of them.
        """
        if time.monotonic() < self.read_again_at or len(table) - self.size >= MAX_LIVE_ITEMS:
            return table
        started = time.monotonic()
        documents, self.position = engine.read_changes(self.version, self.position)
        newest = list({document.item.id: document for document in documents}.values())
        if not (new := _select_unknown(newest, table)):
            return table
        joined = append_items(table, new[: MAX_LIVE_ITEMS - (len(table) - self.size)])
        warm_table(joined)
        log.info("items appended", version=self.version, new=len(joined) - len(table), items=len(joined))
        self.read_again_at = time.monotonic() + PAUSE_FACTOR * (time.monotonic() - started)
        return joined


def warm_table(table: ItemTable) -> None:
    """Builds what is computed once per table, so that the first request does not wait for it."""
    find_newest(table, 1, lambda rows: rows >= 0)
    table.find_rows(table.ids[:1])


def _select_unknown(documents: list[Document], table: ItemTable) -> list[Document]:
    if not documents:
        return []
    rows = table.find_rows(encode_item_ids(document.item.id for document in documents))
    return [document for document, row in zip(documents, rows.tolist(), strict=True) if row < 0]
