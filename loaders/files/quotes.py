"""A check of quote marks in CSV: a lone one makes a parser read the rows after it as part of a value."""

import re
from collections.abc import Iterator

from reelrank.loaders.files.source import SourceError, SourceFile

BLOCK_BYTES = 1 << 20
SUSPICIOUS_DELIMITERS = 12
"""A value whose inner lines all have the delimiters of a row, and so many in total, contains rows. Prose of
three lines or more does not have the same four commas in each."""


def check_quotes(file: SourceFile, delimiter: str) -> Iterator[None]:
    """Scans a file block by block. Raises SourceError for a value that seems to contain rows."""
    scan = QuoteScan(file.name, delimiter.encode())
    with file.open_stream() as (stream, _):
        rest = b""
        while block := stream.read(BLOCK_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                scan.add(line)
            yield
        scan.add(rest)
        scan.finish()


class QuoteScan:
    """The state of a scan: whether a quoted value is open, since which line, and the lines inside it."""

    def __init__(self, name: str, delimiter: bytes) -> None:
        self._name = name
        self._delimiter = delimiter
        mark = re.escape(delimiter)
        value = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^"\r' + mark + rb"]*+)"
        self._well_formed = re.compile(value + rb"(?:" + mark + value + rb")*+\r?")
        self._row_delimiters = 0
        self._line = 0
        self._opened = 0
        self._inner_lines = 0
        self._row_like_lines = 0

    def add(self, line: bytes) -> None:
        """Scans the next line, without its line end. Raises SourceError."""
        self._line += 1
        if b'"' in line:
            if self._opened or not self._well_formed.fullmatch(line):
                self._scan_marks(line)
        elif self._opened:
            self._inner_lines += 1
            self._row_like_lines += line.count(self._delimiter) == self._row_delimiters
        if self._line == 1:
            self._row_delimiters = line.count(self._delimiter)

    def finish(self) -> None:
        """Checks the end of the file. Raises SourceError."""
        if self._opened:
            raise self._build_error("is never closed", "the rest of the file")

    def _scan_marks(self, line: bytes) -> None:
        """Follows the quote marks of a line as the parser does: one opens a value only at its start."""
        position = 0
        while True:
            if not self._opened:
                start = self._find_opening(line, position)
                if start < 0:
                    return
                self._opened, self._inner_lines, self._row_like_lines = self._line, 0, 0
                position = start + 1
            end = self._find_closing(line, position)
            if end < 0:
                return
            self._close(line[end + 1 : end + 2])
            position = end + 1

    def _find_opening(self, line: bytes, position: int) -> int:
        """Returns the index of the next quote mark at the start of a value, -1 if there is none."""
        if not position and line.removeprefix(b"\xef\xbb\xbf").startswith(b'"'):
            return line.index(b'"')
        found = line.find(self._delimiter + b'"', position)
        return found + 1 if found >= 0 else -1

    def _find_closing(self, line: bytes, position: int) -> int:
        """Returns the index of the next quote mark that is not doubled, -1 if there is none."""
        while (end := line.find(b'"', position)) >= 0 and line[end + 1 : end + 2] == b'"':
            position = end + 2
        return end

    def _close(self, following: bytes) -> None:
        if self._opened < self._line:
            lines = f"lines {self._opened} to {self._line}"
            if following not in (b"", b"\r", self._delimiter):
                raise self._build_error(f"is closed in the middle of a value in line {self._line}", lines)
            is_row_like = self._row_like_lines == self._inner_lines
            if is_row_like and self._row_like_lines * self._row_delimiters >= SUSPICIOUS_DELIMITERS:
                raise self._build_error(f"is closed only in line {self._line}", lines)
        self._opened = 0

    def _build_error(self, problem: str, lines: str) -> SourceError:
        return SourceError(
            f"the quote mark that opens a value in line {self._opened} of {self._name} {problem}, so {lines} "
            'would be read as one value. Write "" for a quote mark, inside a value in double quotes, '
            "or save the file as TSV, where quote marks are plain text"
        )
