"""Every engine produces the tokens in tests/golden/analysed_phrases.json."""

import json
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.text.analysis import build_analyzer, separate_words
from reelrank.app.engines.server.documents.versions import Layout
from reelrank.index_mappings.mapping import ANALYZER
from reelrank.index_mappings.text import prepare_text
from tests.servers.server import Server, create_prefix, remove_indices

GOLDEN = Path(__file__).parents[1] / "golden" / "analysed_phrases.json"


def analyze_phrases(phrases: list[str], server: Server | None) -> dict[str, list[str]]:
    if server is None:
        analyzer = build_analyzer()
        return {phrase: list(analyzer.analyze(separate_words(prepare_text(phrase)))) for phrase in phrases}
    prefix, cluster = create_prefix(), server.open_cluster()
    server.build_engine(cluster, Layout(prefix)).create_index("items-1")
    path = f"/{prefix}items-1/_analyze"
    replies = {
        phrase: cluster.request_or_raise("POST", path, {"analyzer": ANALYZER, "text": prepare_text(phrase)})
        for phrase in phrases
    }
    remove_indices(cluster, prefix)
    cluster.close()
    return {phrase: [token["token"] for token in reply["tokens"]] for phrase, reply in replies.items()}


def test_every_engine_produces_the_same_tokens(server: Server | None, pytestconfig: pytest.Config) -> None:
    golden: dict[str, list[str]] = json.loads(GOLDEN.read_text())
    found = analyze_phrases(list(golden), server)
    if server is None and pytestconfig.getoption("--renew"):
        GOLDEN.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    assert found == golden
