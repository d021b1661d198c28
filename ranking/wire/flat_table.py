"""A reader of FlatBuffer tables that checks every offset against the length of the data.

Format: flatbuffers.dev/internals. A table starts with the distance back to its vtable. The vtable contains
its own size, the table's size, and the offset of each field from the start of the table, or 0.
"""

import struct
from dataclasses import dataclass
from typing import Self

PAIR_BYTES = 16
"""The size of a struct of two int64."""


@dataclass(frozen=True, slots=True)
class FlatTable:
    """The table at offset `start` of `data`. All methods raise ValueError for invalid data."""

    data: memoryview
    start: int

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Self:
        """Returns the root table of a FlatBuffer."""
        view = memoryview(data).cast("B")
        return cls(view, _read_number(view, "<I", 0))

    def has(self, field: int) -> bool:
        """Returns whether the field is set."""
        return self._find_field(field) != 0

    def read_int64(self, field: int) -> int:
        """Returns an int64; 0, the default of the format, if the field is not set."""
        offset = self._find_field(field)
        return _read_number(self.data, "<q", offset) if offset else 0

    def read_table(self, field: int) -> "FlatTable":
        """Returns a nested table."""
        return FlatTable(self.data, self._follow_reference(field))

    def read_pairs(self, field: int) -> list[tuple[int, int]]:
        """Returns a vector of structs of two int64; empty if the field is not set."""
        if not self.has(field):
            return []
        start = self._follow_reference(field)
        count = _read_number(self.data, "<I", start)
        structs = self.data[start + 4 : start + 4 + PAIR_BYTES * count]
        if len(structs) != PAIR_BYTES * count:
            raise ValueError("the stream's metadata is truncated")
        return list(struct.iter_unpack("<qq", structs))

    def _follow_reference(self, field: int) -> int:
        offset = self._find_field(field)
        if not offset:
            raise ValueError("the stream's metadata lacks a required field")
        return offset + _read_number(self.data, "<I", offset)

    def _find_field(self, field: int) -> int:
        """Returns the offset of a field in `data`, 0 if it is not set."""
        vtable = self.start - _read_number(self.data, "<i", self.start)
        entry = 4 + 2 * field
        if entry + 2 > _read_number(self.data, "<H", vtable):
            return 0
        distance = _read_number(self.data, "<H", vtable + entry)
        return self.start + distance if distance else 0


def _read_number(data: memoryview, number_format: str, offset: int) -> int:
    if offset < 0 or offset + struct.calcsize(number_format) > len(data):
        raise ValueError("the stream's metadata has an offset outside of its bounds")
    number: int = struct.unpack_from(number_format, data, offset)[0]
    return number
