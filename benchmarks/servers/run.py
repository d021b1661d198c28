"""`python -m benchmarks servers PRODUCT URL`: queries and bulk writes beside the bare client, in pairs.

Makes indices that begin with `reelbench-` on that server and removes them again.
"""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson

from app.engines.elasticsearch import elasticsearch_cluster, elasticsearch_engine
from app.engines.opensearch import opensearch_cluster, opensearch_engine
from app.engines.server.access import Access
from app.engines.server.cluster import NDJSON
from app.engines.server.documents import source_of
from app.engines.server.engine import ServerEngine
from app.engines.server.queries import candidates_body, conditions, hits_asked, neighbour_query, text_query
from app.engines.server.versions import Layout
from benchmarks.clock import ROUNDS, interleaved
from index_mappings.engine import NeighbourMatch, TextMatch, VectorMatch
from index_mappings.item import Document, Item, Neighbour

DOCUMENTS, PAIRS, TOGETHER, BATCH = 10_000, 500, 200, 1000
LIMIT = 300
WORDS = [f"word{number}" for number in range(3000)]
Times = dict[str, list[float]]


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in ("elasticsearch", "opensearch"):
        print("say: python -m benchmarks servers elasticsearch|opensearch URL", file=sys.stderr)
        return 2
    product, url = arguments
    cluster = {"elasticsearch": elasticsearch_cluster, "opensearch": opensearch_cluster}[product](
        Access((url,))
    )
    build = {"elasticsearch": elasticsearch_engine, "opensearch": opensearch_engine}[product]
    engine = build(cluster, Layout("reelbench-"))
    documents = generated(np.random.default_rng(7))
    try:
        write_pairs(engine, bare_client(product, url), documents)
        query_pairs(engine, bare_client(product, url))
        side_by_side(engine)
    finally:
        for name in ("items-ours", "items-bare", "changes"):
            cluster.command("DELETE", f"/reelbench-{name}")
    return 0


def generated(random: np.random.Generator) -> list[Document]:
    """Zipfian words, clustered vectors, neighbours."""
    ranks = np.minimum(random.zipf(1.3, size=(DOCUMENTS, 60)) - 1, len(WORDS) - 1)
    centres = random.normal(size=(100, 64))
    factors = centres[random.integers(100, size=DOCUMENTS)] + 0.4 * random.normal(size=(DOCUMENTS, 64))
    factors = (factors / np.linalg.norm(factors, axis=1, keepdims=True)).astype(np.float32)
    text = random.normal(size=(DOCUMENTS, 256)).astype(np.float32)
    near = random.integers(DOCUMENTS, size=(DOCUMENTS, 30))
    return [
        Document(
            Item(f"i{n}", " ".join(WORDS[r] for r in ranks[n, :5]), " ".join(WORDS[r] for r in ranks[n, 5:])),
            {"text": text[n], "factors": factors[n]},
            tuple(Neighbour(f"i{other}", 0.5) for other in near[n]),
        )
        for n in range(DOCUMENTS)
    ]


def write_pairs(engine: ServerEngine, client: Any, documents: Sequence[Document]) -> None:
    """The same documents into two indices alike, batch by batch in turns; the bare helper serialises too."""
    engine.create_index("items-ours")
    engine.create_index("items-bare")
    ours = bare = 0.0
    for start in range(0, len(documents), BATCH):
        batch = documents[start : start + BATCH]
        ours += timed(lambda: engine.write("items-ours", batch))  # noqa: B023  # called at once
        bare += timed(lambda: bare_bulk(client, "reelbench-items-bare", batch))  # noqa: B023
    rates = (len(documents) / ours, len(documents) / bare)
    print(
        f"bulk: ours {rates[0]:.0f} documents/s, bare helper {rates[1]:.0f}, ratio {rates[0] / rates[1]:.2f}"
    )
    engine.promote("items-ours")


def bare_bulk(client: Any, index: str, batch: Sequence[Document]) -> None:
    """With vectors as lists, as the clients' own serialisers take them."""
    helpers = sys.modules[f"{type(client).__module__.split('.')[0]}.helpers"]
    sources = (orjson.loads(orjson.dumps(source_of(d), option=orjson.OPT_SERIALIZE_NUMPY)) for d in batch)
    actions = (
        {"_index": index, "_id": d.item.id, "_source": source}
        for d, source in zip(batch, sources, strict=True)
    )
    helpers.bulk(client, actions)


def query_pairs(engine: ServerEngine, client: Any) -> None:
    random = np.random.default_rng(11)
    for kind in ("text", "vector", "ids"):
        requests = [asked(kind, random) for _ in range(PAIRS)]
        asks = [(request, body_of(engine, request)) for request in requests]
        gc.freeze()  # the bodies are the benchmark's own; neither side shall walk over them
        pair = interleaved(
            lambda both: ask(engine, both[0]),
            lambda both: client.search(index="reelbench-items", body=both[1]),
            asks,
        )
        print(
            f"{kind}: ours p50 {pair.ours_p50:.1f} p99 {pair.ours_p99:.1f} ms, "
            f"bare p50 {pair.bare_p50:.1f} p99 {pair.bare_p99:.1f} ms, "
            f"ratio p50 {pair.ratio_p50:.2f} ({said_of(pair.ratio_p50_spread)}), "
            f"p99 {pair.ratio_p99:.2f} ({said_of(pair.ratio_p99_spread)} in {ROUNDS} rounds)"
        )


def said_of(spread: tuple[float, float]) -> str:
    return f"{spread[0]:.2f} to {spread[1]:.2f}"


def side_by_side(engine: ServerEngine) -> None:
    """Three sources as three searches at once, or as one msearch."""
    random, pool = np.random.default_rng(13), ThreadPoolExecutor(3)
    times: Times = {"searches": [], "msearch": []}
    head = orjson.dumps({"index": "reelbench-items"}) + b"\n"
    for pair in range(TOGETHER):
        requests = [asked(kind, random) for kind in ("text", "vector", "ids")]
        bodies = [orjson.dumps(body_of(engine, r), option=orjson.OPT_SERIALIZE_NUMPY) for r in requests]
        lines = b"".join(head + body + b"\n" for body in bodies)
        wire = engine.cluster.wire()
        turns: list[tuple[str, Callable[[], object]]] = [
            ("searches", lambda: list(pool.map(lambda r: ask(engine, r), requests))),  # noqa: B023
            ("msearch", lambda: wire.send("POST", "/_msearch", lines, NDJSON, 9.0)),  # noqa: B023
        ]
        for name, call in turns if pair % 2 else turns[::-1]:
            times[name].append(timed(call) * 1000)
    said = ", ".join(
        f"{n} p50 {np.percentile(v, 50):.1f} p99 {np.percentile(v, 99):.1f} ms" for n, v in times.items()
    )
    print(f"three sources: {said}")


def asked(kind: str, random: np.random.Generator) -> TextMatch | VectorMatch | NeighbourMatch:
    if kind == "text":
        return TextMatch("text", " ".join(WORDS[n] for n in random.integers(200, size=3)), LIMIT)
    if kind == "vector":
        vector = random.normal(size=64)
        return VectorMatch("knn", "factors", (vector / np.linalg.norm(vector)).astype(np.float32), LIMIT)
    seeds = tuple(Neighbour(f"i{n}", 1.0) for n in random.integers(DOCUMENTS, size=30))
    return NeighbourMatch("ids", seeds, LIMIT)


def body_of(engine: ServerEngine, request: TextMatch | VectorMatch | NeighbourMatch) -> dict[str, Any]:
    if isinstance(request, TextMatch):
        query = text_query(request)
    elif isinstance(request, VectorMatch):
        query = engine.dialect.nearest(request, hits_asked(LIMIT), conditions(request.filters))
        query = orjson.loads(orjson.dumps(query, option=orjson.OPT_SERIALIZE_NUMPY))
    else:
        query = neighbour_query(request)
    return candidates_body(LIMIT, query)


def ask(engine: ServerEngine, request: TextMatch | VectorMatch | NeighbourMatch) -> object:
    if isinstance(request, TextMatch):
        return engine.match_text(request, 10.0)
    if isinstance(request, VectorMatch):
        return engine.match_vector(request, 10.0)
    return engine.match_ids(request, 10.0)


def bare_client(product: str, url: str) -> Any:
    if product == "elasticsearch":
        import elasticsearch
        import elasticsearch.helpers

        return elasticsearch.Elasticsearch(url, request_timeout=60)
    import opensearchpy
    import opensearchpy.helpers

    return opensearchpy.OpenSearch(url, timeout=60)


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
