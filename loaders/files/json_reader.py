"""JSON reader: one object per line, bulk requests, arrays, and documents that wrap their records."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import numpy as np
import orjson

from reelrank.loaders.files.json_shapes import (
    has_extended,
    list_records,
    read_action,
    read_bulk_document,
    read_hit,
    unwrap_extended,
)
from reelrank.loaders.files.json_values import TOO_DEEP, ValueStream, is_too_deep, parse_lenient
from reelrank.loaders.files.rows import RecordBlock, Reject, Rows
from reelrank.loaders.files.source import SourceError, SourceFile

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 64 << 20
"""A JSON line has to fit in memory; a longer one means a file without line ends."""
BLOCK_RECORDS = 1000
JSON_TYPES: dict[type, str] = {
    list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null",
}  # fmt: skip
Shape = Literal["lines", "bulk", "document"]


def read_json(file: SourceFile) -> Iterator[Rows]:
    """Yields the objects of a file.

    Rows are numbered by line; those of an array or a wrapping document by their place in it.
    """
    shape = detect_shape(file)
    return _read_document(file) if shape == "document" else _read_lines(file, shape)


def detect_shape(file: SourceFile) -> Shape:
    """Returns whether the first lines are JSON values, a bulk request, or the start of a document."""
    with file.open_text() as (stream, _):
        text = stream.read(BLOCK_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    lines = [line for line in text.split(b"\n", 20) if line.strip()]
    if text.startswith((b"[", b"//", b"/*")) or not lines:
        return "document"
    values = [_try_parse(line) for line in lines[:2]]
    if values[0] is None:
        is_broken_line = len(values) > 1 and isinstance(values[1], dict)
        return "lines" if is_broken_line or len(lines[0]) == len(text) == BLOCK_BYTES else "document"
    if list_records(values[0]) != [read_hit(values[0])]:
        return "document"
    return "bulk" if read_action(values[0]) is not None else "lines"


@dataclass(slots=True)
class RowCollector:
    """Collects the rows of one block: records, and rejects for rows that are not records."""

    file: SourceFile
    records: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    unreadable: list[Reject] = field(default_factory=list)

    def add(self, number: int, value: Any, text: object) -> None:
        if isinstance(value, dict):
            self.records.append(value)
            self.numbers.append(number)
        else:
            kind = JSON_TYPES[type(value)]
            self.reject(number, f'the row is a JSON {kind}, not an object such as {{"id": ...}}', text)

    def reject(self, number: int, reason: str, text: object) -> None:
        self.unreadable.append(Reject(self.file.name, number, reason, text))

    def build_rows(self, done: float) -> Rows:
        numbers = np.array(self.numbers, np.int64)
        return Rows(
            self.file.name, numbers, RecordBlock(self.records), tuple(self.unreadable), min(done, 1.0)
        )


def _read_lines(file: SourceFile, shape: Shape) -> Iterator[Rows]:
    parse = BulkParser().add_line if shape == "bulk" else _add_line
    with file.open_text() as (stream, raw):
        line, rest = 0, b""
        while block := stream.read(BLOCK_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            if len(rest) > MAX_LINE_BYTES:
                raise SourceError(
                    f"line {line + len(lines) + 1} of {file.name} is longer than 64 MB; "
                    "write one JSON object per line",
                    code="line_too_long",
                )
            if lines:
                rows = RowCollector(file)
                for number, text in enumerate(lines, line + 1):
                    parse(rows, number, text)
                yield rows.build_rows(raw.tell() / max(file.size, 1))
                line += len(lines)
        rows = RowCollector(file)
        parse(rows, line + 1, rest)
        if rows.numbers or rows.unreadable:
            yield rows.build_rows(1.0)


def _add_line(rows: RowCollector, number: int, line: bytes) -> None:
    if (value := _parse_line(rows, number, line)) is not None:
        rows.add(number, read_hit(value[0]), line.decode(errors="replace"))


class BulkParser:
    """Parses the lines of a bulk request, an action and its document each."""

    def __init__(self) -> None:
        self._action: tuple[str, Any] | None = None

    def add_line(self, rows: RowCollector, number: int, line: bytes) -> None:
        if (value := _parse_line(rows, number, line)) is None:
            return
        text = line.decode(errors="replace")
        if self._action is not None:
            rows.add(number, read_bulk_document(*self._action, value[0]), text)
            self._action = None
        elif (action := read_action(value[0])) is None:
            rows.reject(number, "the line is neither an action of a bulk request nor its document", text)
        elif action[0] == "delete":
            rows.reject(number, "a bulk request deletes this document; only documents are loaded", text)
        else:
            self._action = action


def _parse_line(rows: RowCollector, number: int, line: bytes) -> tuple[Any] | None:
    """Returns the value of a line, None after a reject and for a blank line."""
    text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    if not text or text.isspace():
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            value = parse_lenient(text.decode())
        except (ValueError, RecursionError):
            rows.reject(number, f"the line is not valid JSON: {error}", text.decode(errors="replace"))
            return None
    if is_too_deep(text, value):
        rows.reject(number, f"the line is not read: {TOO_DEEP}", text.decode(errors="replace"))
        return None
    return (unwrap_extended(value) if has_extended(text) else value,)


def _read_document(file: SourceFile) -> Iterator[Rows]:
    with file.open_text() as (stream, raw):
        records = _list_document_records(ValueStream(stream, file.name))
        number = 0
        while batch := list(islice(records, BLOCK_RECORDS)):
            rows = RowCollector(file)
            for record in batch:
                number += 1
                rows.add(number, record, record)
            yield rows.build_rows(raw.tell() / max(file.size, 1))


def _list_document_records(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        yield from list_records(unwrap_extended(value))


def _try_parse(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            return parse_lenient(line.decode())
        except (ValueError, RecursionError):
            return None
