"""`python -m benchmarks servers PRODUCT URL`: compares queries and bulk writes with the bare client.

Creates indices that begin with `reelbench-` on the server and removes them.
"""

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.servers.pairs import (
    Figures,
    generate_documents,
    measure_concurrent_sources,
    measure_queries,
    measure_writes,
    open_bare_client,
)
from benchmarks.servers.report import format_servers_report
from reelrank.app.engines.elasticsearch import build_elasticsearch_cluster, build_elasticsearch_engine
from reelrank.app.engines.opensearch import build_opensearch_cluster, build_opensearch_engine
from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.transport.access import Access
from reelrank.app.engines.server.transport.cluster import Cluster

RESULTS = Path(__file__).parent.parent / "results"
CLUSTERS = {"elasticsearch": build_elasticsearch_cluster, "opensearch": build_opensearch_cluster}
ENGINES = {"elasticsearch": build_elasticsearch_engine, "opensearch": build_opensearch_engine}


def main(arguments: Sequence[str]) -> int:
    options = _build_parser().parse_args(arguments)
    figures = measure_servers(options.product, options.url, options.documents, options.pairs)
    report = format_servers_report(figures)
    print(report)
    options.results.mkdir(parents=True, exist_ok=True)
    stem = options.results / f"servers-{figures['server'].partition('.')[0].replace(' ', '-')}"
    stem.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    stem.with_suffix(".md").write_text(report + "\n")
    return 0


def measure_servers(product: str, url: str, documents: int, pairs: int) -> Figures:
    begun, cluster = time.monotonic(), CLUSTERS[product](Access((url,)))
    engine, client = ENGINES[product](cluster, Layout("reelbench-")), open_bare_client(product, url)
    figures: Figures = {
        "command": f"python -m benchmarks servers {product} URL --documents {documents} --pairs {pairs}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "server": f"{product} {_read_version(cluster)}",
        "documents": documents,
    }
    try:
        generated = generate_documents(np.random.default_rng(7), documents)
        figures["bulk"] = measure_writes(engine, client, generated)
        figures["queries"] = measure_queries(engine, client, documents, pairs)
        figures["together"] = measure_concurrent_sources(engine, documents)
    finally:
        for name in ("items-ours", "items-bare", "changes"):
            cluster.request("DELETE", f"/reelbench-{name}")
    figures["load_at_end"] = describe_machine()["load"]
    figures["took_s"] = round(time.monotonic() - begun)
    return figures


def _read_version(cluster: Cluster) -> str:
    nodes = cluster.request_or_raise("GET", "/_nodes", filter_path="nodes.*.version")["nodes"]
    return str(min(node["version"] for node in nodes.values()))


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks servers", description=__doc__)
    parser.add_argument("product", choices=sorted(CLUSTERS))
    parser.add_argument("url", help="address of a node, such as http://127.0.0.1:9200")
    parser.add_argument(
        "--documents", type=int, default=10_000, help="documents written by each side, 100 kB of memory each"
    )
    parser.add_argument("--pairs", type=int, default=500, help="queries of a kind in each round")
    parser.add_argument("--results", type=Path, default=RESULTS, help="directory for figures and tables")
    return parser
