"""Answers with a missing shard: the failure carries the hits of the others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from reelrank.app.search.hydration import fetch_items
from reelrank.app.search.parallel_sources import run_sources
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.engine import SearchEngine, TextMatch
from reelrank.index_mappings.errors import Partial
from reelrank.index_mappings.match import Matches
from reelrank.ranking.retrieval.sources import SourceRequest
from tests.servers.gateway import Gateway, run_gateway

TEXT = TextMatch("bm25", "alien", 10)
PARTIAL_SEARCH_BODY = {
    "timed_out": False,
    "_shards": {"total": 3, "successful": 2, "failed": 1},
    "hits": {
        "hits": [
            {"_id": "a1", "_score": 2.0, "fields": {"id": ["a1"]}, "_source": {"id": "a1", "title": "Alien"}}
        ]
    },
}
PARTIAL_MGET_BODY = {
    "docs": [
        {"_id": "a1", "found": True, "_source": {"id": "a1", "title": "Alien"}},
        {"_id": "a2", "error": {"type": "no_shard_available_action_exception", "reason": "no shard"}},
    ]
}
OWN_SETTINGS: dict[str, str] = {}
EXTERNAL_SETTINGS = {"engine_index": "films", "engine_fields": "id=id,title=title"}


@pytest.fixture(params=[OWN_SETTINGS, EXTERNAL_SETTINGS], ids=["own", "external"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchEngine]:
    with run_gateway(
        Gateway(search_body=orjson.dumps(PARTIAL_SEARCH_BODY), mget_body=orjson.dumps(PARTIAL_MGET_BODY))
    ) as gateway:
        stated = {"engine": "elasticsearch", "engine_url": gateway.url, "data_dir": tmp_path, **request.param}
        opened = build_container(Settings.model_validate(stated)).engine
        yield opened
        opened.close()


def test_a_partial_answer_carries_the_matches_that_arrived(engine: SearchEngine) -> None:
    with pytest.raises(Partial, match="1 of 3 shards") as error:
        engine.match_text(TEXT, 5.0)
    assert error.value.partial_result.ids.tolist() == [b"a1"]

    def answer(_: SourceRequest, timeout_s: float) -> Matches:
        return engine.match_text(TEXT, timeout_s)

    with ThreadPoolExecutor(1) as pool:
        answered = run_sources([TEXT], answer, 5.0, pool)
    assert [m.ids.tolist() for m in answered.matches] == [[b"a1"]]
    assert "1 of 3 shards" in str(answered.failures["bm25"])


def test_readable_items_are_shown_and_missing_ones_reported(engine: SearchEngine) -> None:
    items, warnings = fetch_items(engine, ["a2", "a1"], 5.0)
    assert [item and item.title for item in items] == [None, "Alien"]
    assert (warnings[0].source, warnings[0].code) == ("items", "partial_result")


def test_an_engine_with_a_missing_shard_is_ready(engine: SearchEngine) -> None:
    assert engine.is_ready()
