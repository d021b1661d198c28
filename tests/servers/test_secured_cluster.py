"""A real server behind TLS and an API key, like a secured cluster."""

from pathlib import Path

import pytest

from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.errors import Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item
from tests.raised import raises_code
from tests.servers.gateway import Gateway, create_signed_certificate, run_gateway
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize("server", build_kind_params(), indirect=True)
KEY = {"engine_api_key": "c2VjcmV0"}


def test_a_secured_cluster_needs_the_key_and_the_certificate(
    server: Server, prefix: str, tmp_path: Path
) -> None:
    authority, signed = create_signed_certificate(tmp_path)
    with run_gateway(Gateway("ApiKey c2VjcmV0", server.url, signed)) as gateway:
        there = {**server.build_settings(prefix), "engine_url": gateway.url, "engine_ca_certs": authority}
        parts = build_container(Settings.model_validate({"data_dir": tmp_path, **there, **KEY}))
        parts.engine.create_index("items-1")
        assert parts.engine.write("items-1", [Document(Item("alien", "Alien"))]).written == 1
        parts.engine.promote("items-1")
        assert parts.engine.match_text(TextMatch("bm25", "alien", 10), 10.0).ids.tolist() == [b"alien"]
        event = Event("1", "watch", "ada", 5, "alien")
        assert parts.events.append([event]).stored == 1
        assert parts.events.recent("ada", 10, 10.0) == [event]
        stranger = build_container(Settings.model_validate({"data_dir": tmp_path, **there}))
        with raises_code(Unavailable, "engine_access_denied"):
            stranger.engine.serving_version()
        for engine in (parts.engine, stranger.engine):
            engine.close()
