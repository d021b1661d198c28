"""A table of a FlatBuffer, read with every offset checked against the bytes that there are.

The format: flatbuffers.dev/internals. A table begins with the distance back to its vtable; the vtable
holds its own size, the table's size, and for each field its distance from the table's begin, or 0.
"""

import struct
from dataclasses import dataclass
from typing import Self

PAIR = 16
"""Bytes of a struct of two int64."""


@dataclass(frozen=True, slots=True)
class FlatTable:
    """One table at `begin`. Reading raises ValueError where the bytes are no such table."""

    data: memoryview
    begin: int

    @classmethod
    def root(cls, data: bytes | memoryview) -> Self:
        view = memoryview(data).cast("B")
        return cls(view, _number(view, "<I", 0))

    def has(self, field: int) -> bool:
        return self._place(field) != 0

    def int64(self, field: int) -> int:
        """0 where the field is left out, as the format says."""
        place = self._place(field)
        return _number(self.data, "<q", place) if place else 0

    def table(self, field: int) -> "FlatTable":
        return FlatTable(self.data, self._target(field))

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """A vector of structs of two int64; empty where the field is left out."""
        if not self.has(field):
            return []
        begin = self._target(field)
        count = _number(self.data, "<I", begin)
        part = self.data[begin + 4 : begin + 4 + PAIR * count]
        if len(part) != PAIR * count:
            raise ValueError("its metadata states more than it holds")
        return list(struct.iter_unpack("<qq", part))

    def _target(self, field: int) -> int:
        place = self._place(field)
        if not place:
            raise ValueError("its metadata is not whole")
        return place + _number(self.data, "<I", place)

    def _place(self, field: int) -> int:
        vtable = self.begin - _number(self.data, "<i", self.begin)
        entry = 4 + 2 * field
        if entry + 2 > _number(self.data, "<H", vtable):
            return 0
        distance = _number(self.data, "<H", vtable + entry)
        return self.begin + distance if distance else 0


def _number(data: memoryview, form: str, place: int) -> int:
    if place < 0 or place + struct.calcsize(form) > len(data):
        raise ValueError("its metadata points outside of itself")
    number: int = struct.unpack_from(form, data, place)[0]
    return number
