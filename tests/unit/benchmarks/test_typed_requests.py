"""Requests of typed words: an engine agrees with itself, and an exact answer is found whole."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.relevance.run import main
from benchmarks.relevance.typed_requests import (
    ExactVectors,
    generate_requests,
    measure_congruence,
    measure_recall,
)
from tests.sample_project import build_project

COUNT = 6


def test_an_engine_agrees_with_itself(tmp_path: Path) -> None:
    container = build_project(tmp_path, datetime.now(UTC))
    engine, encoder = container.engine, container.encoder
    documents = [document for batch in engine.scan(engine.serving_version() or "") for document in batch]
    counts = measure_congruence(generate_requests(documents, encoder, COUNT), engine, engine)
    assert [kind.kind for kind in counts] == ["bm25", "text_knn", "factors", "neighbours"]
    assert all(kind.same == kind.same_order == kind.requests == COUNT for kind in counts)
    exact = ExactVectors(documents)
    recall = measure_recall(exact.generate(encoder, COUNT, 10), exact, engine)
    assert (recall.limit, recall.queries, recall.mean, recall.worst) == (10, COUNT, 1.0, 1.0)


@pytest.mark.parametrize("missing", [["--demo", "somewhere"], ["--engine-url", "http://127.0.0.1:1"]])
def test_a_server_needs_an_address_and_a_demo(missing: list[str]) -> None:
    assert main(["--engine", "opensearch", *missing]) == 2
