"""Compares the adapter with the bare client on a server: writes, queries, three concurrent sources."""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson

from benchmarks.clock import time_interleaved
from reelrank.app.engines.server.documents.documents import encode_document
from reelrank.app.engines.server.documents.queries import (
    build_candidates_body,
    build_filter_clauses,
    build_neighbour_query,
    build_text_query,
    compute_hit_limit,
)
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.matcher import MatchRequest
from reelrank.app.engines.server.transport.cluster import NDJSON
from reelrank.index_mappings.engine import NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.item import Document, Item, Neighbour

CONCURRENT_ROUNDS, BATCH = 200, 1000
LIMIT = 300
WORDS = [f"word{number}" for number in range(3000)]
KINDS = {"text": "BM25", "vector": "kNN of 64", "ids": "neighbours of 30 seeds"}
Figures = dict[str, Any]


def generate_documents(random: np.random.Generator, size: int) -> list[Document]:
    """Generates documents with Zipfian words, clustered vectors and neighbours."""
    ranks = np.minimum(random.zipf(1.3, size=(size, 60)) - 1, len(WORDS) - 1)
    centres = random.normal(size=(100, 64))
    factors = centres[random.integers(100, size=size)] + 0.4 * random.normal(size=(size, 64))
    factors = (factors / np.linalg.norm(factors, axis=1, keepdims=True)).astype(np.float32)
    text = random.normal(size=(size, 256)).astype(np.float32)
    near = random.integers(size, size=(size, 30))
    return [
        Document(
            Item(f"i{n}", " ".join(WORDS[r] for r in ranks[n, :5]), " ".join(WORDS[r] for r in ranks[n, 5:])),
            {"text": text[n], "factors": factors[n]},
            tuple(Neighbour(f"i{other}", 0.5) for other in near[n]),
        )
        for n in range(size)
    ]


def measure_writes(engine: ServerEngine, client: Any, documents: Sequence[Document]) -> Figures:
    """Writes the same documents to two equal indices, alternately by batch. Both sides serialize them."""
    engine.create_index("items-ours")
    engine.create_index("items-bare")
    engine_s = bare_s = 0.0
    for start in range(0, len(documents), BATCH):
        batch = documents[start : start + BATCH]
        engine_s += time_call(lambda: engine.write("items-ours", batch))  # noqa: B023  # called at once
        bare_s += time_call(lambda: write_bare(client, "reelbench-items-bare", batch))  # noqa: B023
    engine.promote("items-ours")
    rates = (len(documents) / engine_s, len(documents) / bare_s)
    return {
        "ours_per_s": round(rates[0]),
        "bare_per_s": round(rates[1]),
        "ratio": round(rates[0] / rates[1], 3),
    }


def write_bare(client: Any, index: str, batch: Sequence[Document]) -> None:
    """Writes with the bulk helper. Vectors are lists, as the serializers of the clients require."""
    helpers = sys.modules[f"{type(client).__module__.split('.')[0]}.helpers"]
    sources = (
        orjson.loads(orjson.dumps(encode_document(d), option=orjson.OPT_SERIALIZE_NUMPY)) for d in batch
    )
    actions = (
        {"_index": index, "_id": d.item.id, "_source": source}
        for d, source in zip(batch, sources, strict=True)
    )
    helpers.bulk(client, actions)


def measure_queries(engine: ServerEngine, client: Any, documents: int, pairs: int) -> Figures:
    """Compares searches with the same body by kind, alternately."""
    figures: Figures = {}
    random = np.random.default_rng(11)
    for kind, title in KINDS.items():
        requests = [build_match_request(kind, random, documents) for _ in range(pairs)]
        bodies = [(request, build_body(engine, request)) for request in requests]
        gc.freeze()  # the bodies belong to the benchmark: garbage collection must not scan them
        pair = time_interleaved(
            lambda both: send_request(engine, both[0]),
            lambda both: client.search(index="reelbench-items", body=both[1]),
            bodies,
        )
        figures[title] = pair.to_dict()
    return figures


def measure_concurrent_sources(engine: ServerEngine, documents: int) -> Figures:
    """Compares three concurrent searches with one _msearch."""
    random, pool = np.random.default_rng(13), ThreadPoolExecutor(3)
    times: dict[str, list[float]] = {"three searches": [], "one _msearch": []}
    head = orjson.dumps({"index": "reelbench-items"}) + b"\n"
    for pair in range(CONCURRENT_ROUNDS):
        requests = [build_match_request(kind, random, documents) for kind in KINDS]
        bodies = [orjson.dumps(build_body(engine, r), option=orjson.OPT_SERIALIZE_NUMPY) for r in requests]
        lines = b"".join(head + body + b"\n" for body in bodies)
        wire = engine.cluster.connect()
        turns: list[tuple[str, Callable[[], object]]] = [
            ("three searches", lambda: list(pool.map(lambda r: send_request(engine, r), requests))),  # noqa: B023
            ("one _msearch", lambda: wire.send("POST", "/_msearch", lines, NDJSON, 9.0)),  # noqa: B023
        ]
        for name, call in turns if pair % 2 else turns[::-1]:
            times[name].append(time_call(call) * 1000)
    return {
        name: {f"p{q}": round(float(np.percentile(milliseconds, q)), 2) for q in (50, 99)}
        for name, milliseconds in times.items()
    }


def build_match_request(kind: str, random: np.random.Generator, documents: int) -> MatchRequest:
    if kind == "text":
        return TextMatch("text", " ".join(WORDS[n] for n in random.integers(200, size=3)), LIMIT)
    if kind == "vector":
        vector = random.normal(size=64)
        return VectorMatch("knn", "factors", (vector / np.linalg.norm(vector)).astype(np.float32), LIMIT)
    seeds = tuple(Neighbour(f"i{n}", 1.0) for n in random.integers(documents, size=30))
    return NeighbourMatch("ids", seeds, LIMIT)


def build_body(engine: ServerEngine, request: MatchRequest) -> dict[str, Any]:
    if isinstance(request, TextMatch):
        query = build_text_query(request)
    elif isinstance(request, VectorMatch):
        query = engine.dialect.build_knn_query(
            request, compute_hit_limit(LIMIT), build_filter_clauses(request.filters)
        )
        query = orjson.loads(orjson.dumps(query, option=orjson.OPT_SERIALIZE_NUMPY))
    else:
        query = build_neighbour_query(request)
    return build_candidates_body(LIMIT, query)


def send_request(engine: ServerEngine, request: MatchRequest) -> object:
    if isinstance(request, TextMatch):
        return engine.match_text(request, 10.0)
    if isinstance(request, VectorMatch):
        return engine.match_vector(request, 10.0)
    return engine.match_ids(request, 10.0)


def open_bare_client(product: str, url: str) -> Any:
    if product == "elasticsearch":
        import elasticsearch
        import elasticsearch.helpers

        return elasticsearch.Elasticsearch(url, request_timeout=60)
    import opensearchpy
    import opensearchpy.helpers

    return opensearchpy.OpenSearch(url, timeout=60)


def time_call(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
