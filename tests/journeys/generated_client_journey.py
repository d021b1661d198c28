"""Uses a client that was generated from /openapi.json: search, recommend, send events, rank, promote."""

import sys

from reelrank_client import Client
from reelrank_client.api.catalogue import get_item
from reelrank_client.api.events import append_events
from reelrank_client.api.items import patch_item
from reelrank_client.api.lists import rank, recommend, search
from reelrank_client.api.models import list_models, promote_model
from reelrank_client.models import EventRow, ItemPatchBody, RankBody

client = Client(base_url=sys.argv[1])

found = search.sync(client=client, q="sea story 3")
assert found.hits[0].title == "Sea story 3"
assert found.hits[0].match == "lexical"

event = EventRow.from_dict(
    {
        "id": "journey-1", "kind": "watch", "user": "client", "item": found.hits[0].id,
        "request_id": found.request_id,
        "position": 0, "watched_ms": 5_000_000, "duration_ms": 6_000_000,
    }
)  # fmt: skip
stored = append_events.sync(client=client, body=event)
assert (stored.stored, stored.unknown_items) == (1, [])

page = recommend.sync(client=client, user="client", limit=5)
assert found.hits[0].id not in [hit.id for hit in page.hits]

ranked = rank.sync("current", client=client, body=RankBody(ids=["sea1", "space1"], user="client", limit=1))
assert len(ranked.ids) == len(ranked.scores) == 1

assert promote_model.sync("second", client=client).serving == "second"
assert list_models.sync(client=client).serving == "second"

assert patch_item.sync("sea4", client=client, body=ItemPatchBody(tags=["storm"])).written
assert get_item.sync("sea4", client=client).tags == ["storm"]

problem = get_item.sync("nothing", client=client)
assert (problem.code, problem.status) == ("item_not_found", 404)
