"""Bots: viewers who would have watched for longer than a day has hours.

What was received of them does not count. What the operator loaded does: it cannot be forged by a client.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelrank.ranking.items.popularity.audience import Audience
from reelrank.ranking.items.watch_columns import hash_viewers, select_watch_columns


def find_bots(events: pa.Table) -> frozenset[str]:
    """Returns the users of a table of EVENT_SCHEMA whom an audience that sees all events calls bots."""
    received = events.filter(pc.and_(pc.equal(events["kind"], "watch"), pc.is_valid(events["received_ms"])))
    if not len(received):
        return frozenset()
    (batch,) = received.combine_chunks().to_batches()
    rows = batch["item"].dictionary_encode().indices.to_numpy().astype(np.intp)
    audience = Audience()
    audience.add(select_watch_columns(batch, hash_viewers(batch["user"], audience.key), rows))
    users = batch["user"].unique()
    return frozenset(users.filter(pa.array(audience.are_bots(hash_viewers(users, audience.key)))).to_pylist())


def leave_out_bots(events: pa.Table) -> tuple[pa.Table, list[str]]:
    """Returns the events without those that were received of bots, and the sorted names of the bots."""
    bots = sorted(find_bots(events))
    is_of_bot = pc.is_in(events["user"], pa.array(bots, pa.string()))
    return events.filter(pc.invert(pc.and_(is_of_bot, pc.is_valid(events["received_ms"])))), bots
