"""Sources of rows: one file, a folder, a glob or standard input, resolved to files with their formats."""

import glob
import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, ClassVar, Literal, get_args

import pyarrow as pa

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
COMPRESSED_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd")
COMPRESSION_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
STANDARD_INPUT = "-"


class SourceError(Exception):
    """The source cannot be read as requested; the message says what is wrong, where, and what to do."""

    code: ClassVar[str] = "source_unreadable"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read rows from.

    name: as the user wrote it. compression: gzip, zstd or None, detected from the first bytes.
    size: bytes on disk. identity: changes when the content does (path, size and modification time;
    for standard input a hash of the content).
    """

    path: Path
    name: str
    format: Format
    compression: str | None
    size: int
    identity: str

    @contextmanager
    def open_stream(self) -> Iterator[tuple[Any, Any]]:
        """Yields a stream of decompressed bytes, and the file below it, whose `tell` measures progress."""
        with pa.OSFile(str(self.path), "rb") as raw:
            yield (pa.CompressedInputStream(raw, self.compression) if self.compression else raw), raw


@contextmanager
def open_source_files(
    location: str, file_format: Format | None
) -> Iterator[tuple[list[SourceFile], list[str]]]:
    """Yields the files in the order of their names, and the names of skipped files of unknown format.

    Standard input is copied to a temporary file first. Raises SourceError.
    """
    if location == STANDARD_INPUT:
        if file_format is None:
            raise SourceError(f"standard input has no file name; add --format {'|'.join(FORMATS)}")
        with TemporaryDirectory(prefix="reelrank-") as directory:
            yield [spool_input(sys.stdin.buffer, Path(directory) / "input", file_format)], []
        return
    paths, skipped = _find_paths(location, file_format)
    if not paths:
        raise SourceError(
            f"{location} contains no file with a known suffix ({', '.join(SUFFIXES)}); "
            f"add --format {'|'.join(FORMATS)}"
        )
    yield [_describe_file(path, file_format) for path in paths], skipped


def spool_input(stream: IO[bytes], path: Path, file_format: Format) -> SourceFile:
    """Copies a stream to `path` block by block."""
    digest = hashlib.sha256()
    with path.open("wb") as copy:
        while block := stream.read(1 << 20):
            digest.update(block)
            copy.write(block)
    return SourceFile(
        path,
        "standard input",
        file_format,
        _detect_compression(path),
        path.stat().st_size,
        f"sha256:{digest.hexdigest()}",
    )


@contextmanager
def unpack(file: SourceFile) -> Iterator[Path]:
    """Yields the path of a seekable file; a compressed file is decompressed into a temporary one."""
    if file.compression is None:
        yield file.path
        return
    with TemporaryDirectory(prefix="reelrank-") as directory, file.open_stream() as (stream, _):
        path = Path(directory) / "unpacked"
        with path.open("wb") as plain:
            shutil.copyfileobj(stream, plain, 1 << 20)
        yield path


def _find_paths(location: str, file_format: Format | None) -> tuple[list[Path], list[str]]:
    path = Path(location)
    if path.is_file():
        return [path], []
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
        known = [p for p in found if file_format is not None or _detect_format(p) is not None]
        return known, [str(p) for p in found if p not in set(known)]
    if glob.has_magic(location):
        return sorted(p for p in map(Path, glob.glob(location, recursive=True)) if p.is_file()), []  # noqa: PTH207  # Path.glob rejects absolute patterns
    raise SourceError(f"{location} does not exist; name a file, a folder, a glob, or - for standard input")


def _describe_file(path: Path, file_format: Format | None) -> SourceFile:
    known = file_format or _detect_format(path)
    if known is None:
        raise SourceError(
            f"the format of {path} is not clear from its name; add --format {'|'.join(FORMATS)}"
        )
    try:
        stat, compression = path.stat(), _detect_compression(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    identity = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
    return SourceFile(path, str(path), known, compression, stat.st_size, identity)


def _detect_format(path: Path) -> Format | None:
    suffixes: Sequence[str] = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        suffixes = suffixes[:-1]
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def _detect_compression(path: Path) -> str | None:
    with path.open("rb") as file:
        first = file.read(4)
    return next((name for magic, name in COMPRESSION_MAGIC.items() if first.startswith(magic)), None)
