"""`python -m benchmarks relevance --engine PRODUCT --engine-url URL --demo DIR`: the demo on a real server.

Measures titles as they are typed beside BM25 alone, recall of text vectors against an exact answer, and
random requests beside the embedded engine. Creates indices that begin with `reelbench-` and removes them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.markdown import format_pair, format_table
from benchmarks.quality.report import Goal
from benchmarks.relevance.floors import check_titles
from benchmarks.relevance.report import format_titles, write_json
from benchmarks.relevance.server_demo import ServerDemo, open_server_demo
from benchmarks.relevance.titles import measure_titles
from benchmarks.relevance.typed_requests import (
    Congruence,
    ExactVectors,
    Recall,
    generate_requests,
    measure_congruence,
    measure_cost,
    measure_recall,
    to_rows,
)
from reelrank.app.jobs.known_items import BASELINE, SERVED
from reelrank.ranking.progress import Progress

KINDS = ("exact", "capitals", "decomposed", "typo", "prefix")
SYSTEMS = (BASELINE, SERVED)
QUERIES, LIMITS = 80, (10, 200)
FORMER_BEAM = 1
"""Before MIN_BEAM, three candidates for each requested hit were examined, however few hits those were."""
MIN_RECALL, MIN_CONGRUENT = 0.97, 0.95


@dataclass(frozen=True, slots=True)
class ServerRun:
    """What `measure_server` needs: the product, its address, the trained demo, queries of each kind."""

    product: str
    url: str
    demo: Path
    per_kind: int


def measure_server(run: ServerRun, results: Path | None, progress: Progress) -> list[Goal]:
    """Prints and stores the figures of a server. Returns the goals."""
    begun = time.monotonic()
    with open_server_demo(run.demo, run.product, run.url, progress) as demo:
        recalls, costs = _measure_vectors(demo)
        print(_format_vectors(recalls, costs), flush=True)
        requests = generate_requests(demo.documents, demo.container.encoder, QUERIES)
        same = measure_congruence(requests, demo.embedded, demo.engine)
        print(_format_congruence(same), flush=True)
        titles = measure_titles(demo.container, run.per_kind, progress, KINDS, SYSTEMS)
        print(format_titles(titles), flush=True)
    goals = [_check_recall(recalls), _check_congruence(same), *check_titles(titles)]
    if results is not None:
        content = {
            "command": f"python -m benchmarks relevance --engine {run.product} --engine-url URL --demo DIR",
            "server": f"{run.product} {demo.version}",
            "documents": len(demo.documents),
            "took_s": round(time.monotonic() - begun),
            "recall": {name: to_rows(rows) for name, rows in recalls.items()},
            "cost": costs,
            "congruence": to_rows(same),
            "titles": titles,
            "floors": goals,
        }
        write_json(results / f"relevance-{run.product}-{demo.version.partition('.')[0]}.json", content)
    return goals


def _measure_vectors(demo: ServerDemo) -> tuple[dict[str, list[Recall]], dict[str, Any]]:
    """Returns the recall of the embedded engine, of the server as it was and as it is; and the cost of it."""
    exact, encoder = ExactVectors(demo.documents), demo.container.encoder
    former = demo.with_min_beam(FORMER_BEAM)
    matchers = {"embedded": demo.embedded, "former beam": former, "server": demo.engine}
    recalls: dict[str, list[Recall]] = {name: [] for name in matchers}
    costs = {}
    for limit in LIMITS:
        requests = exact.generate(encoder, QUERIES, limit)
        for name, matcher in matchers.items():
            recalls[name].append(measure_recall(requests, exact, matcher))
        costs[f"{limit} hits"] = measure_cost(list(requests.values()), demo.engine, former)
    return recalls, costs


def _check_recall(recalls: dict[str, list[Recall]]) -> Goal:
    return Goal("recall@10 of typed words", recalls["server"][0].mean, MIN_RECALL)


def _check_congruence(same: Sequence[Congruence]) -> Goal:
    share = sum(each.same for each in same) / sum(each.requests for each in same)
    return Goal("requests with the same first ten", share, MIN_CONGRUENT)


def _format_vectors(recalls: dict[str, list[Recall]], costs: dict[str, Any]) -> str:
    rows = [
        (name, f"@{each.limit}", f"{each.mean:.4f}", f"{each.worst:.2f} ({each.worst_query!r})")
        for name, results in recalls.items()
        for each in results
    ]
    table = format_table(("engine", "recall", "mean", "worst query"), rows)
    head = ("request", "now p50, p99 (ms)", "former p50, p99 (ms)", "ratio at p50", "at p99")
    return f"{table}\n\n{format_table(head, [(name, *format_pair(pair)) for name, pair in costs.items()])}\n"


def _format_congruence(same: Sequence[Congruence]) -> str:
    head = ("requests", "number", "same ten", "same order", "without filter", "of them the same ten")
    rows = [
        tuple(map(str, (e.kind, e.requests, e.same, e.same_order, e.unfiltered, e.unfiltered_same)))
        for e in same
    ]
    return f"{format_table(head, rows)}\n"
