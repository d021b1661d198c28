"""Sources of rows: one file, a folder, a glob or standard input, resolved to files with their formats."""

import codecs
import glob
import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Literal, get_args

from reelrank.index_mappings.errors import CodedError
from reelrank.loaders.files.streams import (
    DECOMPRESSION_ERRORS,
    StreamError,
    detect_compression,
    list_members,
    open_bytes,
    open_text,
    read_start,
)

Format = Literal["csv", "tsv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
COMPRESSED_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz")
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
"""An archive, and one without files."""
SPREADSHEET_MEMBER = "[Content_Types].xml"
MAX_NAMED_MEMBERS = 10
STANDARD_INPUT = "-"
QuoteRule = Literal["csv", "none"]


class SourceError(CodedError):
    """The source cannot be read as requested; the message says what is wrong, where, and what to do."""

    code = "source_unreadable"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user states about files; None is detected. Raises SourceError for an unknown encoding.

    quotes: csv, or none where quote marks are plain text. encoding: of text, as Python names it.
    member: the file to read in a ZIP archive.
    """

    quotes: QuoteRule | None = None
    encoding: str | None = None
    member: str | None = None

    def __post_init__(self) -> None:
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError as error:
            raise SourceError(
                f"there is no encoding {self.encoding}; use utf-8, cp1252, latin-1, utf-16 or another name "
                "that Python knows",
                code="unknown_encoding",
            ) from error


DETECTED = ReadOptions()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read rows from.

    name: as the user wrote it. compression: detected from the first bytes. size: bytes on disk. identity:
    changes when the content or the options do (path, size and modification time; for standard input a hash
    of the content). member: the file inside a ZIP archive.
    """

    path: Path
    name: str
    format: Format
    compression: str | None
    size: int
    identity: str
    member: str | None = None
    options: ReadOptions = field(default=DETECTED)

    @property
    def is_packed(self) -> bool:
        return self.compression is not None or self.member is not None

    @contextmanager
    def open_stream(self) -> Iterator[tuple[Any, Any]]:
        """Yields a stream of decompressed bytes, and the file below it, whose `tell` measures progress."""
        with open_bytes(self.path, self.member, self.compression) as opened:
            yield opened

    @contextmanager
    def open_text(self) -> Iterator[tuple[Any, Any]]:
        """Yields a stream of text in UTF-8 with newlines, and the file below it."""
        with self.open_stream() as (stream, raw):
            converted = open_text(stream, self.options.encoding)
            if converted is not None:
                yield converted, raw
                return
        with self.open_stream() as opened:
            yield opened


@contextmanager
def open_source_files(
    location: str, file_format: Format | None, options: ReadOptions = DETECTED
) -> Iterator[tuple[list[SourceFile], list[str]]]:
    """Yields the files in the order of their names, and the names of skipped files of unknown format.

    Standard input is copied to a temporary file first. Raises SourceError.
    """
    if location == STANDARD_INPUT:
        if file_format is None:
            raise SourceError(
                f"standard input has no file name; add --format {'|'.join(FORMATS)}",
                code="source_format_unknown",
            )
        with TemporaryDirectory(prefix="reelrank-") as directory:
            yield [spool_input(sys.stdin.buffer, Path(directory) / "input", file_format, options)], []
        return
    paths, skipped = _find_paths(location, file_format)
    if not paths:
        raise SourceError(
            f"{location} contains no file with a known suffix ({', '.join(SUFFIXES)}, .zip); "
            f"add --format {'|'.join(FORMATS)}",
            code="source_format_unknown",
        )
    yield [_describe_file(path, file_format, options) for path in paths], skipped


def spool_input(
    stream: IO[bytes], path: Path, file_format: Format, options: ReadOptions = DETECTED
) -> SourceFile:
    """Copies a stream to `path` block by block."""
    digest = hashlib.sha256()
    with path.open("wb") as copy:
        while block := stream.read(1 << 20):
            digest.update(block)
            copy.write(block)
    identity = f"sha256:{digest.hexdigest()}:{astuple(options)}"
    return _open_file(path, "standard input", file_format, identity, options)


def _find_paths(location: str, file_format: Format | None) -> tuple[list[Path], list[str]]:
    path = Path(location)
    if path.is_file():
        return [path], []
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
        known = [p for p in found if file_format is not None or _is_known(p)]
        return known, [str(p) for p in found if p not in set(known)]
    if glob.has_magic(location):
        return sorted(p for p in map(Path, glob.glob(location, recursive=True)) if p.is_file()), []  # noqa: PTH207  # Path.glob rejects absolute patterns
    raise SourceError(
        f"{location} does not exist; name a file, a folder, a glob, or - for standard input",
        code="source_not_found",
    )


def _describe_file(path: Path, file_format: Format | None, options: ReadOptions) -> SourceFile:
    try:
        stat = path.stat()
        identity = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}:{astuple(options)}"
        return _open_file(path, str(path), file_format, identity, options)
    except (OSError, NotImplementedError, StreamError, *DECOMPRESSION_ERRORS) as error:
        raise SourceError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _open_file(
    path: Path, name: str, file_format: Format | None, identity: str, options: ReadOptions
) -> SourceFile:
    with path.open("rb") as file:
        first = file.read(8)
    member = _choose_member(path, name, file_format, options.member) if first.startswith(ZIP_MAGIC) else None
    known = file_format or _detect_format(Path(member or path))
    if known is None:
        raise SourceError(
            f"the format of {name} is not clear from its name; add --format {'|'.join(FORMATS)}",
            code="source_format_unknown",
        )
    if member is not None:
        with open_bytes(path, member, None) as (stream, _):
            first = read_start(stream, 8)
    compression = detect_compression(first)
    return SourceFile(path, name, known, compression, path.stat().st_size, identity, member, options)


def _choose_member(path: Path, name: str, file_format: Format | None, stated: str | None) -> str:
    """Returns the file of a ZIP archive that is to be read. Raises SourceError when that is not clear."""
    members = list_members(path)
    if SPREADSHEET_MEMBER in members:
        raise SourceError(
            f"{name} is a spreadsheet; save the sheet as CSV in UTF-8", code="source_format_mismatch"
        )
    if stated is not None:
        found = [member for member in members if stated in (member, Path(member).name)]
    else:
        found = [member for member in members if file_format is not None or _detect_format(Path(member))]
    if len(found) == 1:
        return found[0]
    names = ", ".join((found or members)[:MAX_NAMED_MEMBERS]) or "nothing"
    if stated is not None:
        raise SourceError(
            f"{name} has no single file {stated}; it contains {names}", code="archive_member_unclear"
        )
    if not found:
        raise SourceError(
            f"{name} contains no file with a known suffix, but {names}; add --member NAME --format FORMAT",
            code="archive_member_unclear",
        )
    raise SourceError(
        f"{name} contains {len(found)} files: {names}; name one with --member NAME",
        code="archive_member_unclear",
    )


def _is_known(path: Path) -> bool:
    return path.suffix.lower() == ".zip" or _detect_format(path) is not None


def _detect_format(path: Path) -> Format | None:
    suffixes: Sequence[str] = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        suffixes = suffixes[:-1]
    return SUFFIXES.get(suffixes[-1]) if suffixes else None
