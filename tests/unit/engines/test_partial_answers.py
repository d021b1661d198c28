"""An answer of which a shard is missing: the hits that are there come with the failure."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from app.search.showing import fetched
from app.search.side_by_side import run
from app.settings import Settings
from app.wiring import build_parts
from index_mappings.engine import SearchEngine, TextMatch
from index_mappings.errors import Partial
from index_mappings.match import Matches
from ranking.sources import SourceRequest
from tests.servers.front import Front, standing

TEXT = TextMatch("bm25", "alien", 10)
SOME = {
    "timed_out": False,
    "_shards": {"total": 3, "successful": 2, "failed": 1},
    "hits": {
        "hits": [
            {"_id": "a1", "_score": 2.0, "fields": {"id": ["a1"]}, "_source": {"id": "a1", "title": "Alien"}}
        ]
    },
}
READ = {
    "docs": [
        {"_id": "a1", "found": True, "_source": {"id": "a1", "title": "Alien"}},
        {"_id": "a2", "error": {"type": "no_shard_available_action_exception", "reason": "no shard"}},
    ]
}
OWN: dict[str, str] = {}
THEIRS = {"engine_index": "films", "engine_fields": "id=id,title=title"}


@pytest.fixture(params=[OWN, THEIRS], ids=["own", "theirs"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchEngine]:
    with standing(Front(found=orjson.dumps(SOME), read=orjson.dumps(READ))) as front:
        stated = {"engine": "elasticsearch", "engine_url": front.url, "data_dir": tmp_path, **request.param}
        opened = build_parts(Settings.model_validate(stated)).engine
        yield opened
        opened.close()


def test_matches_of_the_shards_that_answered_come_with_the_failure_and_are_used(engine: SearchEngine) -> None:
    with pytest.raises(Partial, match="1 of 3 shards") as lacking:
        engine.match_text(TEXT, 5.0)
    assert lacking.value.found.ids.tolist() == [b"a1"]

    def answer(_: SourceRequest, timeout_s: float) -> Matches:
        return engine.match_text(TEXT, timeout_s)

    with ThreadPoolExecutor(1) as pool:
        answered = run([TEXT], answer, 5.0, pool)
    assert [m.ids.tolist() for m in answered.matches] == [[b"a1"]]
    assert "1 of 3 shards" in str(answered.missing["bm25"])


def test_items_that_can_be_read_are_shown_and_what_is_missing_is_told(engine: SearchEngine) -> None:
    items, lacking = fetched(engine, ["a2", "a1"], 5.0)
    assert [item and item.title for item in items] == [None, "Alien"]
    assert lacking[0].startswith("items: ")


def test_an_engine_of_which_a_shard_is_missing_is_ready(engine: SearchEngine) -> None:
    assert engine.is_ready()
