"""Where rows come from: one file, a folder, a glob or standard input, as files with their formats."""

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
    """A source that cannot be read as asked: what, where, and what to do."""

    code: ClassVar[str] = "source_unreadable"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """name: as people wrote it. packed: gzip, zstd or none, told by the first bytes. size: bytes on disk.

    identity: the same as long as the file holds the same (its place, size and time of change; of
    standard input a hash of what came).
    """

    path: Path
    name: str
    format: Format
    compression: str | None
    size: int
    identity: str

    @contextmanager
    def open_stream(self) -> Iterator[tuple[Any, Any]]:
        """A stream of unpacked bytes, and the raw file under it, whose `tell` says how far it is."""
        with pa.OSFile(str(self.path), "rb") as raw:
            yield (pa.CompressedInputStream(raw, self.compression) if self.compression else raw), raw


@contextmanager
def open_source_files(
    location: str, file_format: Format | None
) -> Iterator[tuple[list[SourceFile], list[str]]]:
    """The files in the order of their names, and the names left out of a folder for want of a format.

    Standard input is first kept in a temporary file. Raises SourceError.
    """
    if location == STANDARD_INPUT:
        if file_format is None:
            raise SourceError("standard input has no name to tell its format by; add --format")
        with TemporaryDirectory(prefix="reelrank-") as place:
            yield [spool_input(sys.stdin.buffer, Path(place) / "input", file_format)], []
        return
    paths, left_out = _find_paths(location, file_format)
    if not paths:
        raise SourceError(f"{location} holds no file of a known format ({', '.join(FORMATS)}); add --format")
    yield [_describe_file(path, file_format) for path in paths], left_out


def spool_input(stream: IO[bytes], path: Path, file_format: Format) -> SourceFile:
    """What a stream holds, copied to `path` block by block."""
    digest = hashlib.sha256()
    with path.open("wb") as kept:
        while block := stream.read(1 << 20):
            digest.update(block)
            kept.write(block)
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
    """A path that can be sought in: a packed file is unpacked beside, for as long as the block lasts."""
    if file.compression is None:
        yield file.path
        return
    with TemporaryDirectory(prefix="reelrank-") as place, file.open_stream() as (stream, _):
        path = Path(place) / "unpacked"
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
        return sorted(p for p in map(Path, glob.glob(location, recursive=True)) if p.is_file()), []  # noqa: PTH207  # a glob may begin at the root
    raise SourceError(f"there is no file, folder or glob {location}")


def _describe_file(path: Path, file_format: Format | None) -> SourceFile:
    known = file_format or _detect_format(path)
    if known is None:
        raise SourceError(f"the name of {path} does not tell its format; add --format {'|'.join(FORMATS)}")
    try:
        facts, packed = path.stat(), _detect_compression(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    identity = f"{path.resolve()}:{facts.st_size}:{facts.st_mtime_ns}"
    return SourceFile(path, str(path), known, packed, facts.st_size, identity)


def _detect_format(path: Path) -> Format | None:
    suffixes: Sequence[str] = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        suffixes = suffixes[:-1]
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def _detect_compression(path: Path) -> str | None:
    with path.open("rb") as file:
        first = file.read(4)
    return next((name for magic, name in COMPRESSION_MAGIC.items() if first.startswith(magic)), None)
