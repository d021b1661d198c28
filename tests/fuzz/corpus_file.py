"""The corpus of each target: one input a line, as base64, in corpus/TARGET.txt."""

import base64
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
MAX_INPUTS, MAX_BYTES = 60, 1200
"""The repository has a small part of what a run finds: the smallest inputs."""


def read_corpus(target: str) -> list[bytes]:
    """Returns the inputs of a target, in the order of the file."""
    return [base64.b64decode(line) for line in (FOLDER / f"{target}.txt").read_text().split()]


def write_corpus(target: str, inputs: Iterable[bytes]) -> None:
    """Writes inputs, without repeated ones."""
    lines = [base64.b64encode(data).decode() for data in dict.fromkeys(inputs)]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.txt").write_text("".join(f"{line}\n" for line in lines))
