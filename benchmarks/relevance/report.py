"""The results of the suite as Markdown tables and as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from benchmarks.machine import describe_machine
from benchmarks.markdown import format_table
from benchmarks.relevance.collection import CollectionResult
from benchmarks.relevance.home import HomeResult
from reelrank.ranking.evaluation.known_items import KnownItemResult, tabulate


def format_titles(results: Sequence[KnownItemResult]) -> str:
    """Returns success@1 and success@3 of each kind of query and system."""
    head, *rows = tabulate(results)
    return f"### Known titles of the demo\n\n{format_table(head, rows)}\n"


def format_collection(results: Sequence[CollectionResult]) -> str:
    """Returns NDCG@10 on SciFact in each letter case."""
    head = ("letter case", "system", "NDCG@10", "minus BM25")
    rows = [
        (result.case, result.system, str(result.ndcg), str(result.difference or "")) for result in results
    ]
    return f"### SciFact, {results[0].queries} test queries\n\n{format_table(head, rows)}\n"


def format_home(results: Sequence[HomeResult]) -> str:
    """Returns a table of home pages for each reading."""
    head = ("system", "NDCG@10", "served minus it", "served is")
    parts = []
    for reading in dict.fromkeys(result.reading for result in results):
        reading_results = [result for result in results if result.reading == reading]
        rows = [
            (result.system, str(result.ndcg), str(result.difference or ""), str(result.verdict or ""))
            for result in reading_results
        ]
        title = f"### {reading} ({reading_results[0].viewers} viewers, {reading_results[0].pages} pages)"
        parts.append(f"{title}\n\n{format_table(head, rows)}\n")
    return "\n".join(parts)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Writes the results with the machine that they were measured on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": describe_machine(), **content}
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
