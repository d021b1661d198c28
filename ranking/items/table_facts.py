"""What a table states beside its columns, and what is read of a table before it is opened."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reelrank.ranking.items.fold_in import FoldIn
from reelrank.ranking.items.name_columns import PREFIXES, Columns

SCHEMA = 11
"""Raise it with every change of what a column holds: a table takes columns from one of the same schema."""
METADATA_FILE = "facts.json"


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a table states beside its columns: its index version, how new viewers fold in, and the fingerprint
    of what was learned of its items."""

    version: str
    fold_in: FoldIn | None = None
    embeddings: str = ""


def read_names(directory: Path | None, texts: str) -> Columns | None:
    """Maps the columns of names of a table of these texts, given by their digest; None when it has others or
    cannot be read."""
    if directory is None:
        return None
    try:
        metadata = json.loads((directory / METADATA_FILE).read_text())
        if (metadata["schema"], metadata["texts"]) != (SCHEMA, texts):
            return None
        files = [path for path in directory.glob("*.npy") if path.name.startswith(PREFIXES)]
        return {path.stem: np.load(path, mmap_mode="r") for path in files}
    except (OSError, EOFError, ValueError, KeyError, TypeError):  # of an earlier build, or damaged
        return None


def read_fold_in(directory: Path) -> FoldIn | None:
    """Returns the fold-in parameters of a table of any schema; None when it has none that can be read."""
    try:
        metadata = json.loads((directory / METADATA_FILE).read_text())
        return FoldIn(np.load(directory / "gram.npy"), *metadata["folding"])
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def read_embeddings(directory: Path) -> str:
    """Returns the embeddings fingerprint in a table of any schema; empty when it has none."""
    try:
        return str(json.loads((directory / METADATA_FILE).read_text()).get("embeddings", ""))
    except (OSError, ValueError, AttributeError):
        return ""
