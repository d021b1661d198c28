"""Finds the data sets, which no benchmark downloads, and reads SciFact (BEIR)."""

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path

from reelrank.index_mappings.item import Item

VARIABLE = "REELRANK_BENCH_DATA"


class DatasetMissing(Exception):
    """A data set was not found: where it was expected, and what to do."""


def find_data_file(*parts: str) -> Path:
    """Returns the path of a file in the folder that VARIABLE names. Raises DatasetMissing."""
    root = os.environ.get(VARIABLE)
    if not root:
        raise DatasetMissing(f"set {VARIABLE} to the folder that contains {parts[0]}/")
    path = Path(root, *parts)
    if not path.exists():
        raise DatasetMissing(f"{path} does not exist; see docs/benchmarks.md for its source")
    return path


@dataclass(frozen=True, slots=True, eq=False)
class QuerySet:
    """Texts and relevant documents of the queries of one part, by query id."""

    texts: dict[str, str]
    relevant: dict[str, list[str]]

    def take(self, limit: int) -> "QuerySet":
        return QuerySet(self.texts, dict(list(self.relevant.items())[:limit]))


def read_queries(part: str) -> QuerySet:
    with find_data_file("scifact", "queries.jsonl").open(encoding="utf-8") as lines:
        texts = {query["_id"]: query["text"] for query in map(json.loads, lines)}
    relevant: dict[str, list[str]] = {}
    with find_data_file("scifact", "qrels", f"{part}.tsv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if int(row["score"]) > 0:
                relevant.setdefault(row["query-id"], []).append(row["corpus-id"])
    return QuerySet(texts, relevant)


def read_items() -> list[Item]:
    with find_data_file("scifact", "corpus.jsonl").open(encoding="utf-8") as lines:
        return [Item(d["_id"], d["title"], d["text"]) for d in map(json.loads, lines)]
