"""Streams of the bytes of a file: archive members, decompression with a limit, text as UTF-8."""

import codecs
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa

COMPRESSION_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
}
DECOMPRESSION_ERRORS = (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
MAX_EXPANSION = 100
"""Catalogues in CSV and JSON compress to a fifth up to a thirtieth; an archive made to fill a disk, to a
thousandth."""
MIN_EXPANDED_BYTES = 1 << 30
"""A small file may expand to this size, whatever its ratio."""
SNIFFED_BYTES = 1 << 16
DECODED_BYTES = 1 << 18
ENCRYPTED = 1
"""The flag of an archive's member."""
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""That of UTF-32 in little-endian order begins with that of UTF-16, so it comes first."""


class ByteStream(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class StreamError(Exception):
    """A file is encrypted, or expands to more bytes than any catalogue; the message says so."""


@contextmanager
def open_bytes(path: Path, member: str | None, compression: str | None) -> Iterator[tuple[Any, Any]]:
    """Yields a stream of decompressed bytes, and the file below it, whose `tell` measures progress."""
    with ExitStack() as stack:
        if member is None and compression != "xz":
            raw: Any = stack.enter_context(pa.OSFile(str(path), "rb"))
        else:
            raw = stack.enter_context(path.open("rb"))
        stream = raw
        if member is not None:
            archive = stack.enter_context(zipfile.ZipFile(raw))
            if archive.getinfo(member).flag_bits & ENCRYPTED:
                raise StreamError("it is encrypted; extract it first")
            stream = stack.enter_context(archive.open(member))
        if compression is not None:
            stream = decompress(stream, compression)
        if member is not None or compression is not None:
            limit = max(MIN_EXPANDED_BYTES, MAX_EXPANSION * path.stat().st_size)
            stream = LimitedStream(stream, limit)
        yield stream, raw


def decompress(stream: Any, compression: str) -> ByteStream:
    """Returns a stream of the decompressed bytes of a stream."""
    if compression == "xz":  # pyarrow has no decompressor for it
        return lzma.open(stream)
    native: ByteStream = pa.CompressedInputStream(stream, compression)
    return native


def detect_compression(first: bytes) -> str | None:
    """Returns the compression that the first bytes of a stream name, None for another content."""
    return next((name for magic, name in COMPRESSION_MAGIC.items() if first.startswith(magic)), None)


def open_text(stream: ByteStream, encoding: str | None) -> ByteStream | None:
    """Returns the stream as UTF-8 text with newlines, None if that is what it already contains.

    The stream is read from its start. encoding: None detects UTF-16 and UTF-32 by their byte order mark.
    """
    first = stream.read(SNIFFED_BYTES)
    name = encoding or next((name for mark, name in BYTE_ORDER_MARKS.items() if first.startswith(mark)), None)
    decode = codecs.getincrementaldecoder(name)("strict") if name is not None else None
    text = first.decode(name, "replace").encode() if name is not None else first
    has_cr_lines = b"\r" in text and b"\n" not in text
    if decode is None and not has_cr_lines:
        return None
    return TextStream(first, stream, decode, has_cr_lines)


class LimitedStream:
    """A decompressed stream that ends with StreamError after `limit` bytes."""

    closed = False

    def __init__(self, stream: ByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._bytes_read = 0

    def read(self, size: int = -1, /) -> bytes:
        block = self._stream.read(size)
        self._bytes_read += len(block)
        if self._bytes_read > self._limit:
            raise StreamError(
                f"it expands to more than {self._limit >> 20:,} MB, over {MAX_EXPANSION} times its size; "
                "decompress it yourself if that is right"
            )
        return block

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


class TextStream:
    """Text in another encoding, or with carriage returns for line ends, as UTF-8 with newlines."""

    closed = False

    def __init__(
        self, first: bytes, stream: ByteStream, decoder: codecs.IncrementalDecoder | None, has_cr_lines: bool
    ) -> None:
        self._stream = stream
        self._decoder = decoder
        self._has_cr_lines = has_cr_lines
        self._text = bytearray(self._convert(first))

    def read(self, size: int = -1, /) -> bytes:
        while size < 0 or len(self._text) < size:
            block = self._stream.read(DECODED_BYTES)
            self._text += self._convert(block)
            if not block:
                break
        text = bytes(self._text if size < 0 else self._text[:size])
        del self._text[: len(text)]
        return text

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def _convert(self, block: bytes) -> bytes:
        text = block if self._decoder is None else self._decoder.decode(block, not block).encode()
        return text.replace(b"\r", b"\n") if self._has_cr_lines else text


def list_members(path: Path) -> list[str]:
    """Returns the names of the files in a ZIP archive, without those that systems add."""
    with zipfile.ZipFile(path) as archive:
        return [
            info.filename
            for info in archive.infolist()
            if not info.is_dir()
            and not info.filename.startswith("__MACOSX/")
            and not Path(info.filename).name.startswith(".")
        ]


def read_start(stream: IO[bytes] | ByteStream, size: int) -> bytes:
    """Reads the first `size` bytes, also from a stream that returns fewer at a time."""
    first = b""
    while len(first) < size and (block := stream.read(size - len(first))):
        first += block
    return first
