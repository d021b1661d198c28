"""Content detection by a file's first bytes: text rows, or something that the readers cannot read."""

from collections.abc import Sequence

import numpy as np

from reelrank.loaders.files.source import SourceError, SourceFile

SNIFFED_BYTES = 4096
MAX_CONTROL_SHARE = 0.03
"""More than text ever has: about a tenth of random bytes are control characters."""
CONTROL_BYTES = [byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b"]
MAX_NAMED_FILES = 3
"""How many files an error message names, so that it stays readable."""
MAGIC_BYTES = {
    b"PAR1": "Parquet; add --format parquet",
    b"PK\x03\x04": "a ZIP archive that is compressed again; decompress it once",
    b"\xd0\xcf\x11\xe0": "an old Excel spreadsheet; save the sheet as CSV in UTF-8",
    b"\x1f\x8b": "compressed twice with gzip; decompress it once",
    b"\x28\xb5\x2f\xfd": "compressed twice, with zstd inside; decompress it once",
    b"BZh": "compressed twice, with bzip2 inside; decompress it once",
    b"\xfd7zXZ": "compressed twice, with xz inside; decompress it once",
    b"SQLite format 3": "an SQLite database; export a table: sqlite3 -csv -header FILE 'select ...'",
}
"""First bytes to what they mean and what to do. Of two keys with a common prefix the longer comes first."""


def check_is_text(file: SourceFile) -> None:
    """Raises SourceError unless a CSV, TSV or JSONL file looks like text in UTF-8."""
    first = _read_first_bytes(file)
    for magic, description in MAGIC_BYTES.items():
        if first.startswith(magic):
            raise SourceError(
                f"{file.name} is not {file.format.upper()}; it is {description}",
                code="source_format_mismatch",
            )
    control = int(np.isin(np.frombuffer(first, np.uint8), CONTROL_BYTES).sum())
    if control > max(1, MAX_CONTROL_SHARE * len(first)):
        raise SourceError(
            f"{file.name} is not {file.format.upper()}: {control} of its first {len(first)} bytes are "
            "control characters, as in a binary file or in text that is not UTF-8. Name a CSV, TSV, JSONL or "
            "Parquet file, or the encoding: --encoding utf-16-le",
            code="source_format_mismatch",
        )


def describe_contents(files: Sequence[SourceFile]) -> str:
    """Describes files in which no row was found, for an error message."""
    found = "; ".join(f"{file.name} {_describe_missing_rows(file)}" for file in files[:MAX_NAMED_FILES])
    return (
        found if len(files) <= MAX_NAMED_FILES else f"{found}; and {len(files) - MAX_NAMED_FILES} more files"
    )


def _describe_missing_rows(file: SourceFile) -> str:
    if not file.size:
        return "is empty (0 bytes)"
    if file.format == "parquet":
        return "has columns but no rows"
    first = _read_first_bytes(file)
    if not first:
        return "is empty after decompression"
    if not first.strip(b"\xef\xbb\xbf \t\r\n"):
        return "has only blank lines"
    return "has a header but no rows"


def _read_first_bytes(file: SourceFile) -> bytes:
    with file.open_text() as (stream, _):
        first: bytes = stream.read(SNIFFED_BYTES)
        return first
