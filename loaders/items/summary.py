"""What a load of items did with the columns of its files, for its report."""

from dataclasses import dataclass, field

from reelrank.index_mappings.item import MAX_ID_LENGTH
from reelrank.loaders.fields.field_map import FieldMap
from reelrank.loaders.fields.guesses import list_notes
from reelrank.loaders.fields.mapped_rows import MappedRows
from reelrank.loaders.items.item_rows import CheckedItems, parse_item_rows


def check_items(mapped: MappedRows) -> CheckedItems:
    """Converts rows to items and rejects."""
    if mapped.fields is None:  # every row is unreadable
        return CheckedItems([], [], list(mapped.rows.unreadable))
    return parse_item_rows(mapped.rows, mapped.fields)


@dataclass(slots=True)
class ColumnSummary:
    """Columns of all files: unused ones, the last mapping, and how many ids were hashed."""

    unused: dict[str, None] = field(default_factory=dict)
    fields: FieldMap | None = None
    hashed_ids: int = 0

    def add(self, mapped: MappedRows, checked: CheckedItems) -> None:
        if mapped.fields is not None:
            self.fields = mapped.fields
            self.unused.update(dict.fromkeys(mapped.fields.unused))
        self.hashed_ids += sum(1 for item in checked.items if item.source_id)

    def list_notes(self) -> tuple[str, ...]:
        """Lists what the user should look at."""
        hashed = (
            f"{self.hashed_ids:,} ids are stored as a hash, because an id has 1 to {MAX_ID_LENGTH} printable "
            "ASCII characters without a space; source_id keeps them"
        )
        return (*([hashed] if self.hashed_ids else []), *list_notes(self.fields))
