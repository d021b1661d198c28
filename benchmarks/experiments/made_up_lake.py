"""A made-up lake of an experiment: viewers with habits, pages, views, plays, and an effect that is known."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.index_mappings.decision import CANDIDATE_SCHEMA, EVENTS, LAKE_EVENT_SCHEMA, REQUEST_SCHEMA
from reelrank.index_mappings.event import DAY_MS, MINUTE_MS
from reelrank.loaders.lake.manifest import EventPosition, write_position
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.experiments.definition import INTERLEAVED

START = datetime(2026, 3, 2, tzinfo=UTC)
CLOSED = datetime(2027, 1, 1, tzinfo=UTC)
EXPERIMENT = "made-up"
ITEM_MS = 90 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class MadeUpExperiment:
    """share: of the treatment in the log. effect: of the treatment on plays, as a share.

    interleaved: every page has both arms, and the effect is on plays of the second arm's items.
    past_days: before the experiment, without arms. page_size: items shown; viewed: of them on the screen.
    """

    viewers: int = 1000
    days: int = 7
    past_days: int = 7
    pages_a_day: float = 1.0
    page_size: int = 10
    viewed: int = 5
    play_rate: float = 0.1
    effect: float = 0.0
    share: float = 0.5
    seed: int = 0
    interleaved: bool = False


def write_lake(storage: LakeStorage, made_up: MadeUpExperiment) -> int:
    """Writes all days; returns how many events there are. Viewers differ in how often they come and play."""
    rng = np.random.default_rng(made_up.seed)
    visits = rng.gamma(2.0, made_up.pages_a_day / 2, made_up.viewers)
    rates = np.minimum(rng.gamma(2.0, made_up.play_rate / 2, made_up.viewers), 0.9)
    is_treated = rng.random(made_up.viewers) < made_up.share
    writer, events = LakeWriter(storage), 0
    for day in range(-made_up.past_days, made_up.days):
        pages = rng.poisson(visits)
        viewers = np.repeat(np.arange(made_up.viewers), pages)
        if not len(viewers):
            continue
        tables = _build_day(made_up, day, viewers, rates, is_treated)
        writer.write_decisions(tables[0], tables[1], CLOSED.date())
        writer.write(EVENTS, tables[2], CLOSED.date())
        events += len(tables[2])
    write_position(storage, EventPosition("", events, {writer.name: writer.files}))
    return events


def _build_day(
    made_up: MadeUpExperiment,
    day: int,
    viewers: NDArray[np.intp],
    rates: NDArray[np.float64],
    is_treated: NDArray[np.bool_],
) -> tuple[pa.Table, pa.Table, pa.Table]:
    rng = np.random.default_rng([made_up.seed, day + 1000])
    start = round((START + timedelta(days=day)).timestamp() * 1000)
    at_ms = start + np.sort(rng.integers(0, DAY_MS, len(viewers)))
    ids = np.array([f"{day:+04d}-{n:07d}" for n in range(len(viewers))])
    order = np.arange(len(viewers))
    is_in = np.full(len(viewers), day >= 0)
    split = np.where(is_treated[viewers], "treatment", "control")
    arms = np.where(is_in, INTERLEAVED if made_up.interleaved else split, "")
    keys = np.char.add("viewer-", viewers.astype(str))
    requests = _complete(
        {"request_id": ids, "at_ms": at_ms, "user_key": keys, "surface": np.full(len(ids), "home"),
         "experiment": np.where(is_in, EXPERIMENT, ""), "variant": arms},
        REQUEST_SCHEMA,
    )  # fmt: skip
    page, position = np.repeat(order, made_up.page_size), np.tile(np.arange(made_up.page_size), len(ids))
    items = np.char.add("i", ((page * 7 + position * 13) % 5000).astype(str))
    is_second = _draft(made_up, len(ids), np.random.default_rng([made_up.seed, day + 1000, 1]))
    teams = np.where(is_second, "treatment", "control")
    candidates = _complete(
        {"request_id": ids[page], "item": items, "position": position.astype(np.int32),
         "shown": np.ones(len(page), bool), "is_whole_group": np.zeros(len(page), bool),
         "team": np.where(is_in[page] & made_up.interleaved, teams.astype(object), np.array(None))},
        CANDIDATE_SCHEMA,
    ).append_column("at_ms", pa.array(at_ms[page]))  # fmt: skip
    seen = position < made_up.viewed
    has_effect = is_second if made_up.interleaved else is_treated[viewers][page]
    lift = 1 + made_up.effect * (has_effect & is_in[page])
    played = seen & (rng.random(len(page)) < rates[viewers][page] * lift)
    return requests, candidates, _build_events(ids, at_ms, keys, (page, position, items, seen, played), rng)


def _draft(made_up: MadeUpExperiment, pages: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Returns whether each item of each page is the second team's: a coin for every two positions."""
    coins = rng.integers(0, 2, (pages, made_up.page_size // 2))
    return np.asarray(np.stack([coins, 1 - coins], axis=2).reshape(-1) == 1)


def _build_events(
    ids: NDArray[np.str_],
    at_ms: NDArray[np.int64],
    keys: NDArray[np.str_],
    shown: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.str_], NDArray[np.bool_], NDArray[np.bool_]],
    rng: np.random.Generator,
) -> pa.Table:
    page, position, items, seen, played = shown
    parts = []
    for kind, mask in (("viewed", seen), ("watch", played)):
        rows = np.flatnonzero(mask)
        where = page[rows]
        watched = np.round(rng.beta(1.0, 1.0, len(rows)) * ITEM_MS).astype(np.int64)
        begun = at_ms[where] + 1000 * (position[rows] + 1)
        numbers = np.char.add(np.char.add(ids[where], "-"), position[rows].astype(str))
        columns = {
            "id": np.char.add(f"{kind}-", numbers), "kind": np.full(len(rows), kind), "item": items[rows],
            "user_key": keys[where], "at_ms": begun, "request_id": ids[where],
            "position": position[rows].astype(np.int32),
        }  # fmt: skip
        if kind == "watch":
            columns |= {
                "at_ms": begun + watched, "watched_ms": watched, "started_ms": begun,
                "duration_ms": np.full(len(rows), ITEM_MS), "play_id": numbers,
            }  # fmt: skip
        parts.append(_complete(columns, LAKE_EVENT_SCHEMA))
    return pa.concat_tables(parts)


def _complete(columns: dict[str, NDArray[np.generic]], schema: pa.Schema) -> pa.Table:
    """Returns a table of this schema: empty texts and lists, zeros or nulls where nothing is stated."""
    n = len(next(iter(columns.values())))
    arrays = []
    for field in schema:
        if field.name in columns:
            arrays.append(pa.array(columns[field.name]).cast(field.type))
        elif field.nullable:
            arrays.append(pa.nulls(n, field.type))
        else:
            default: object = [] if pa.types.is_list(field.type) else 0
            empty = {pa.string(): "", pa.bool_(): False}.get(field.type, default)
            arrays.append(pa.array([empty], field.type).take(pa.array(np.zeros(n, np.int64))))
    return pa.Table.from_arrays(arrays, schema=schema)
