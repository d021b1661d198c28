"""A real server behind TLS and a key, as a secured cluster is: everything goes through, nothing without."""

from pathlib import Path

import pytest

from app.settings import Settings
from app.wiring import build_parts
from index_mappings.engine import TextMatch
from index_mappings.errors import Unavailable
from index_mappings.event import Event
from index_mappings.item import Document, Item
from tests.servers.front import Front, signed_certificate, standing
from tests.servers.server import Server, kinds

pytestmark = pytest.mark.parametrize("server", kinds(), indirect=True)
KEY = {"engine_api_key": "c2VjcmV0"}


def test_items_and_events_go_through_with_a_key_and_a_certificate_and_not_without_the_key(
    server: Server, prefix: str, tmp_path: Path
) -> None:
    authority, signed = signed_certificate(tmp_path)
    with standing(Front("ApiKey c2VjcmV0", server.url, signed)) as front:
        there = {**server.settings(prefix), "engine_url": front.url, "engine_ca_certs": authority}
        parts = build_parts(Settings.model_validate({"data_dir": tmp_path, **there, **KEY}))
        parts.engine.create_index("items-1")
        assert parts.engine.write("items-1", [Document(Item("alien", "Alien"))]).written == 1
        parts.engine.promote("items-1")
        assert parts.engine.match_text(TextMatch("bm25", "alien", 10), 10.0).ids.tolist() == [b"alien"]
        event = Event("1", "watch", "ada", 5, "alien")
        assert parts.events.append([event]).stored == 1
        assert parts.events.recent("ada", 10, 10.0) == [event]
        stranger = build_parts(Settings.model_validate({"data_dir": tmp_path, **there}))
        with pytest.raises(Unavailable, match="REELRANK_ENGINE_USERNAME"):
            stranger.engine.serving_version()
        for engine in (parts.engine, stranger.engine):
            engine.close()
