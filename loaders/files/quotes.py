"""Quote marks in CSV: a lone one makes a parser read the rows after it as part of a value."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from reelrank.loaders.files.source import SourceError, SourceFile

BLOCK_BYTES = 1 << 20
SUSPICIOUS_DELIMITERS = 12
"""A value whose inner lines all have the delimiters of a row, and so many in total, contains rows. Prose of
three lines or more does not have the same four commas in each."""
SHAPED_LINES = 200
MAX_SHAPES = 5
"""Ids of a catalogue look alike: their first 200 differ in few shapes, such as letters and then digits."""
MAX_ODD_LINES = 100_000
ESCAPED = re.compile(rb'\\(["\\])')
SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?', re.IGNORECASE)
"""The first line by which a spreadsheet states the delimiter."""
UTF8_MARK = b"\xef\xbb\xbf"
LineFilter = Callable[[int, bytes], bytes]


@dataclass(frozen=True, slots=True)
class QuoteStyle:
    """How the quote marks of a CSV file are written.

    has_backslashes: a quote mark inside a value is written as a backslash and the mark, not doubled.
    odd_lines: numbers of lines with a value that continues after its closing mark, such as `"A" b`.
    longest_row: bytes of the longest row.
    """

    has_backslashes: bool
    odd_lines: frozenset[int]
    longest_row: int

    def build_filter(self, delimiter: bytes) -> LineFilter | None:
        """Returns a function that writes a line in standard CSV, None if the lines are so already."""
        if self.has_backslashes:
            return lambda _, line: unescape(line)
        if self.odd_lines:
            fields = _compile_fields(delimiter)
            return lambda number, line: _quote_odd_values(line, fields) if number in self.odd_lines else line
        return None


def detect_quote_style(file: SourceFile, delimiter: str) -> QuoteStyle:
    """Reads the whole file. Raises SourceError for a value that seems to contain rows."""
    plain = _scan(file, delimiter.encode(), lambda line: line)
    if plain.problem is None and not plain.odd_lines:
        return plain.style
    if plain.has_escapes:
        escaped = _scan(file, delimiter.encode(), unescape)
        if escaped.problem is None and not escaped.odd_lines:
            return QuoteStyle(True, frozenset(), escaped.longest_row)
    if plain.problem is not None:
        raise plain.problem
    return plain.style


def unescape(line: bytes) -> bytes:
    """Returns a line with `\\"` written as `""`, and with single backslashes."""
    return ESCAPED.sub(lambda match: b'""' if match[1] == b'"' else b"\\", line) if b"\\" in line else line


def _scan(file: SourceFile, delimiter: bytes, prepare: Callable[[bytes], bytes]) -> "QuoteScan":
    """Scans lines up to the first problem."""
    scan = QuoteScan(file.name, delimiter, trusts_marks=file.options.quotes == "csv")
    with file.open_text() as (stream, _):
        rest = b""
        while scan.problem is None and (block := stream.read(BLOCK_BYTES)):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                scan.add(prepare(line))
        scan.add(prepare(rest))
        scan.finish()
    return scan


class QuoteScan:
    """The state of a scan: whether a quoted value is open, since which line, and the lines inside it.

    trusts_marks: the user states that quote marks are right, so a value may look like rows.
    """

    def __init__(self, name: str, delimiter: bytes, trusts_marks: bool = False) -> None:
        self.problem: SourceError | None = None
        self.odd_lines: set[int] = set()
        self.has_escapes = False
        self.longest_row = 0
        self._name = name
        self._delimiter = delimiter
        self._trusts_marks = trusts_marks
        mark = re.escape(delimiter)
        value = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^"\r' + mark + rb"][^\r" + mark + rb"]*+|)"
        self._well_formed = re.compile(value + rb"(?:" + mark + value + rb")*+\r?")
        self._row_delimiters = 0
        self._line = 0
        self._opened = 0
        self._row_bytes = 0
        self._inner_lines = 0
        self._row_like_lines = 0
        self._contains_row = False
        self._shapes: set[bytes] = set()

    @property
    def style(self) -> QuoteStyle:
        return QuoteStyle(False, frozenset(self.odd_lines), self.longest_row)

    def add(self, line: bytes) -> None:
        """Scans the next line, without its line end."""
        self._line += 1
        self._row_bytes = len(line) + (self._row_bytes if self._opened else 0)
        self.longest_row = max(self.longest_row, self._row_bytes)
        if not self._opened and 1 < self._line <= SHAPED_LINES and line[:1] not in (b'"', b"", b"\r"):
            self._shapes.add(self._find_shape(line))
        if b'"' in line:
            if self._opened or not self._well_formed.fullmatch(line.removeprefix(UTF8_MARK)):
                self.has_escapes = self.has_escapes or b'\\"' in line
                self._scan_marks(line)
        elif self._opened:
            self._inner_lines += 1
            self._row_like_lines += line.count(self._delimiter) == self._row_delimiters
            self._contains_row = self._contains_row or self._has_shape_of_row(line)
        if not self._row_delimiters and not SEPARATOR_LINE.match(line):
            self._row_delimiters = line.count(self._delimiter)

    def finish(self) -> None:
        """Checks the end of the file."""
        if self._opened:
            self._fail("is never closed", "the rest of the file")

    def _scan_marks(self, line: bytes) -> None:
        """Follows the quote marks of a line as the parser does: one opens a value only at its start."""
        position = 0
        while True:
            if not self._opened:
                start = self._find_opening(line, position)
                if start < 0:
                    return
                self._opened, self._inner_lines, self._row_like_lines = self._line, 0, 0
                self._contains_row = False
                position = start + 1
            end = self._find_closing(line, position)
            if end < 0:
                return
            self._close(line, end)
            position = end + 1

    def _find_opening(self, line: bytes, position: int) -> int:
        """Returns the index of the next quote mark at the start of a value, -1 if there is none."""
        if not position and line.removeprefix(UTF8_MARK).startswith(b'"'):
            return line.index(b'"')
        found = line.find(self._delimiter + b'"', position)
        return found + len(self._delimiter) if found >= 0 else -1

    def _find_closing(self, line: bytes, position: int) -> int:
        """Returns the index of the next quote mark that is not doubled, -1 if there is none."""
        while (end := line.find(b'"', position)) >= 0 and line[end + 1 : end + 2] == b'"':
            position = end + 2
        return end

    def _close(self, line: bytes, end: int) -> None:
        following = line[end + 1 : end + 2]
        is_odd = following not in (b"", b"\r", self._delimiter)
        if self._opened == self._line:
            if is_odd:
                self.odd_lines.add(self._line)
                if len(self.odd_lines) > MAX_ODD_LINES:
                    self._fail("is closed in the middle of a value, as in many lines", "these values")
        else:
            lines = f"lines {self._opened} to {self._line}"
            is_row_like = self._row_like_lines == self._inner_lines
            swallows_rows = (
                (is_row_like and self._row_like_lines * self._row_delimiters >= SUSPICIOUS_DELIMITERS)
                or self._contains_row
                or (self._delimiter in line[:end] and self._has_shape_of_row(line))
            )
            if is_odd:
                self._fail(f"is closed in the middle of a value in line {self._line}", lines)
            elif swallows_rows and not self._trusts_marks:
                self._fail(f"is closed only in line {self._line}", lines)
        self._opened = 0

    def _has_shape_of_row(self, line: bytes) -> bool:
        """Returns whether a line inside a value begins with an id-like text and has a row's delimiters."""
        if not self._row_delimiters or len(self._shapes) > MAX_SHAPES:
            return False
        shape = self._find_shape(line)
        return b"9" in shape and shape in self._shapes and line.count(self._delimiter) == self._row_delimiters

    def _find_shape(self, line: bytes) -> bytes:
        """Returns the first value of a line with 9 for digits and a for letters."""
        first = line.partition(self._delimiter)[0]
        return re.sub(rb"[A-Za-z]+", b"a", re.sub(rb"[0-9]+", b"9", first))

    def _fail(self, problem: str, lines: str) -> None:
        self.problem = self.problem or SourceError(
            f"the quote mark that opens a value in line {self._opened} of {self._name} {problem}, so {lines} "
            'would be read as one value. Write "" for a quote mark, inside a value in double quotes, '
            "or read quote marks as plain text with --quote none. If the value is right, add --quote csv",
            code="invalid_quotes",
        )


def _compile_fields(delimiter: bytes) -> re.Pattern[bytes]:
    mark = re.escape(delimiter)
    quoted = rb'"[^"]*+(?:""[^"]*+)*+"'
    return re.compile(
        rb"(?P<start>^|" + mark + rb")(?:(?P<odd>" + quoted + rb"[^\r\n" + mark + rb"]+)|" + quoted + rb")"
    )


def _quote_odd_values(line: bytes, fields: re.Pattern[bytes]) -> bytes:
    """Returns a line in which the marks of a value that continues after them are plain text."""

    def rewrite(match: re.Match[bytes]) -> bytes:
        odd = match["odd"]
        return match[0] if odd is None else match["start"] + b'"' + odd.replace(b'"', b'""') + b'"'

    return fields.sub(rewrite, line)
