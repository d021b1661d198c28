"""What a file holds, by its first bytes: text of rows, or something that no reader of rows can read."""

from collections.abc import Sequence

import numpy as np

from reelrank.loaders.files.source import SourceError, SourceFile

SNIFFED_BYTES = 4096
MAX_CONTROL_SHARE = 0.03
"""Of the bytes, a share that text never has: of random bytes a tenth are control characters."""
CONTROL_BYTES = [byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b"]
MAX_NAMED_FILES = 3
"""Files that a refusal names."""
UTF_16 = "text in UTF-16, not UTF-8; write it so: iconv -f UTF-16 -t UTF-8 FILE > OTHER"
UTF_32 = "text in UTF-32, not UTF-8; write it so: iconv -f UTF-32 -t UTF-8 FILE > OTHER"
MAGIC_BYTES = {
    b"\xff\xfe\x00\x00": UTF_32,
    b"\x00\x00\xfe\xff": UTF_32,
    b"\xff\xfe": UTF_16,
    b"\xfe\xff": UTF_16,
    b"PAR1": "Parquet; add --format parquet",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet; unpack it, or save the sheet as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet; save the sheet as CSV in UTF-8",
    b"\x1f\x8b": "packed twice with gzip; unpack it once",
    b"\x28\xb5\x2f\xfd": "packed twice, with zstd inside; unpack it once",
    b"BZh": "packed with bzip2; unpack it, or pack it with gzip or zstd",
    b"\xfd7zXZ": "packed with xz; unpack it, or pack it with gzip or zstd",
    b"SQLite format 3": "an SQLite database; write its table as CSV: sqlite3 -csv -header FILE 'select ...'",
}
"""First bytes, the longest of the same beginning first, to what they are and what to do."""


def check_is_text(file: SourceFile) -> None:
    """Raises SourceError for a file that is said to be CSV, TSV or JSONL and is something else."""
    first = _read_first_bytes(file)
    for magic, what in MAGIC_BYTES.items():
        if first.startswith(magic):
            raise SourceError(f"{file.name} is no {file.format} but {what}")
    control = int(np.isin(np.frombuffer(first, np.uint8), CONTROL_BYTES).sum())
    if control > max(1, MAX_CONTROL_SHARE * len(first)):
        raise SourceError(
            f"{file.name} is no {file.format}: {control} of its first {len(first)} bytes are control "
            "characters, as in a binary file or text that is not UTF-8; name a file of rows"
        )


def describe_contents(files: Sequence[SourceFile]) -> str:
    """What files hold of which no row could be read."""
    found = "; ".join(f"{file.name} {_describe_missing_rows(file)}" for file in files[:MAX_NAMED_FILES])
    return (
        found if len(files) <= MAX_NAMED_FILES else f"{found}; and {len(files) - MAX_NAMED_FILES} more files"
    )


def _describe_missing_rows(file: SourceFile) -> str:
    if not file.size:
        return "is empty (0 bytes)"
    if file.format == "parquet":
        return "holds columns and no row"
    first = _read_first_bytes(file)
    if not first:
        return "is empty when it is unpacked"
    if not first.strip(b"\xef\xbb\xbf \t\r\n"):
        return "holds blank lines alone"
    return "holds a header and no row"


def _read_first_bytes(file: SourceFile) -> bytes:
    with file.open_stream() as (stream, _):
        first: bytes = stream.read(SNIFFED_BYTES)
        return first
