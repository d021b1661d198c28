"""The dialect of a CSV or TSV file: its delimiter, its quote marks and lines to rewrite before parsing."""

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache

from reelrank.loaders.files.quotes import SEPARATOR_LINE, LineFilter, QuoteStyle, detect_quote_style
from reelrank.loaders.files.source import SourceError, SourceFile
from reelrank.loaders.files.streams import ByteStream

DELIMITERS = (",", ";", "\t", "|")
QUOTED = re.compile(r'"[^"]*"')
READ_BYTES = 1 << 16
MAX_ROW_BYTES = 64 << 20
"""A row has to fit in memory; a longer one means a lone quote mark or a file without line ends."""

INVALID_TEXT = "\U0010ffff"
"""Stands for bytes that are not UTF-8. Unicode keeps it free: no text has it."""
MARK_INVALID = "reelrank-mark-invalid"
codecs.register_error(MARK_INVALID, lambda error: (INVALID_TEXT, getattr(error, "end", 0)))


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """How a file is parsed. filter_line: rewrites a line by its number; None when no line needs it.

    longest_row: bytes of the longest row.
    """

    delimiter: str
    has_quotes: bool
    longest_row: int
    filter_line: LineFilter | None


@lru_cache(maxsize=256)
def detect_dialect(file: SourceFile) -> Dialect:
    """Reads the whole file once. TSV has no quote marks, unless its header is quoted or the user says so.

    Raises SourceError when a lone quote mark makes a value contain rows, or a row is too long.
    """
    first, second = _read_first_lines(file)
    separator = SEPARATOR_LINE.fullmatch(first.encode())
    header = second if separator else first
    delimiter = separator[1].decode() if separator else detect_delimiter(header)
    is_quoted = all(QUOTED.fullmatch(name) for name in header.split(delimiter))
    quote_rule = file.options.quotes
    has_quotes = quote_rule == "csv" if quote_rule else file.format != "tsv" or is_quoted
    if has_quotes:
        style = detect_quote_style(file, delimiter)
    else:
        style = QuoteStyle(False, frozenset(), _measure_longest_line(file))
    if style.longest_row > MAX_ROW_BYTES:
        raise SourceError(
            f"{file.name} has a row that is longer than {MAX_ROW_BYTES >> 20} MB", code="line_too_long"
        )
    filter_line = style.build_filter(delimiter.encode())
    if not _is_utf8(file):
        filter_line = _mark_invalid_bytes(filter_line)
    if separator:
        filter_line = _blank_first_line(filter_line)
    return Dialect(delimiter, has_quotes, style.longest_row, filter_line)


def detect_delimiter(header: str) -> str:
    """Returns the delimiter that occurs most often in the header outside quotes; a comma if none does."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=bare.count)


class FilteredStream:
    """A stream of lines that are rewritten by their numbers."""

    closed = False

    def __init__(self, stream: ByteStream, filter_line: LineFilter) -> None:
        self._stream = stream
        self._filter_line = filter_line
        self._line = 0
        self._rest = b""
        self._ready = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        while size < 0 or len(self._ready) < size:
            block = self._stream.read(READ_BYTES)
            *lines, self._rest = (self._rest + block).split(b"\n")
            for line in lines:
                self._add(line + b"\n")
            if not block:
                self._add(self._rest)
                self._rest = b""
                break
        found = bytes(self._ready if size < 0 else self._ready[:size])
        del self._ready[: len(found)]
        return found

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def _add(self, line: bytes) -> None:
        self._line += 1
        self._ready += self._filter_line(self._line, line)


def _mark_invalid_bytes(filter_line: LineFilter | None) -> LineFilter:
    """Replaces bytes that are not UTF-8, which the parser would not hand over with a row of wrong length."""

    def rewrite(number: int, line: bytes) -> bytes:
        text = line.decode(errors=MARK_INVALID).encode()
        return text if filter_line is None else filter_line(number, text)

    return rewrite


def _is_utf8(file: SourceFile) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with file.open_text() as (stream, _):
            while block := stream.read(1 << 20):
                decoder.decode(block)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _blank_first_line(filter_line: LineFilter | None) -> LineFilter:
    """Empties the first line, which the parser then skips."""

    def rewrite(number: int, line: bytes) -> bytes:
        if number == 1:
            return b"\n"
        return line if filter_line is None else filter_line(number, line)

    return rewrite


def _read_first_lines(file: SourceFile) -> tuple[str, str]:
    """Returns the first two lines that are not blank."""
    with file.open_text() as (stream, _):
        lines: list[bytes] = stream.read(READ_BYTES).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    filled_lines = [line.decode(errors="replace").rstrip("\r") for line in lines if line.strip()]
    first, second = [*filled_lines, "", ""][:2]
    return first, second


def _measure_longest_line(file: SourceFile) -> int:
    longest, rest = 0, 0
    with file.open_text() as (stream, _):
        while block := stream.read(1 << 20):
            first, *others = (len(line) for line in block.split(b"\n"))
            longest = max(longest, rest + first, *others)
            rest = others[-1] if others else rest + first
    return longest
