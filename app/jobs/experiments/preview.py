"""What the log says a release would earn in exploration slots, before any viewer is given to it.

Only the first slot of a page counts, of requests whose whole group was logged: there the probability of what
was shown is known, and the release can rank the pool of the slot from the signals as they were logged.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.app.jobs.lake import export_lake
from reelrank.app.wiring import (
    Container,
    apply_release_settings,
    build_lake_storage,
    build_release_manager,
    load_model,
)
from reelrank.index_mappings.decision import REQUESTS, name_signal_column
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.pages import ReadOptions, read_logged_pages
from reelrank.ranking.arrow_columns import find_indices, to_array, to_floats, to_texts
from reelrank.ranking.evaluation.counterfactual.estimators import Estimate, estimate_all
from reelrank.ranking.evaluation.counterfactual.logged_actions import LoggedActions
from reelrank.ranking.evaluation.counterfactual.support import Support, check_support
from reelrank.ranking.features.compute import compute_features
from reelrank.ranking.items.engagements import to_page_item_keys
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.blending import blend_rankers
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.registry.decisions import FileHistory
from reelrank.ranking.registry.releases import Release, find_release
from reelrank.ranking.signals.observe import Signals
from reelrank.ranking.training.logged_rows import LoggedPages, list_signals

LOGGED = ("propensity", "probability")
REQUEST_FACTS = ("request_id", "release", "exploration_pool")
USED, WATCHED = "used", "watched_s"


@dataclass(frozen=True, slots=True)
class Preview:
    """What the log says of a release. estimates: by reward (USED: share of slots; WATCHED: seconds by slot).

    left_out: decisions that could not be used, by reason. gate: what the gate said of the release; empty
    where it was not asked. refusal: of the support, or why no page can be used at all.
    """

    release: str
    days: float
    support: Support
    estimates: Mapping[str, list[Estimate]]
    left_out: Mapping[str, int]
    gate: str

    @property
    def refusal(self) -> str:
        return self.support.refusal


def preview_release(container: Container, release_id: str, days: float, progress: Progress) -> Preview:
    """Estimates from the pages of the last days whose outcome is known. Raises NotFound."""
    release = find_release(build_release_manager(container).list_releases(), release_id)
    if release.model == FusedOrder.name:
        raise NotFound(f"{release.id} has no model; choose a release with one", code="model_not_found")
    export_lake(container, progress)
    ranker = load_model(container.registry.find_directory(release.model))
    ranker = blend_rankers(ranker, apply_release_settings(container, release).config.blend)
    left_out = Counter[str]()
    parts = list(_read_decisions(container, release, ranker, days, left_out))
    logs = {reward: join_logs([part[reward] for part in parts]) for reward in (USED, WATCHED)}
    support = check_support(logs[USED])
    estimates = {} if support.refusal else {reward: estimate_all(log) for reward, log in logs.items()}
    return Preview(release.id, days, support, estimates, left_out, _read_gate(container, release_id))


def _read_gate(container: Container, release_id: str) -> str:
    decisions = FileHistory(container.settings.loop_dir).read()
    found = [one for one in decisions if one.release == release_id and one.step == "gate"]
    return f"{found[-1].outcome}: {found[-1].verdict}" if found else ""


def _read_decisions(
    container: Container, release: Release, ranker: Ranker, days: float, left_out: Counter[str]
) -> Iterator[dict[str, LoggedActions]]:
    """Yields the decisions of each part of the lake, once with each reward."""
    lake, now = Lake(build_lake_storage(container.settings)), container.clock.now()
    span = now - timedelta(days=days), now - timedelta(milliseconds=PLAY_WINDOW_MS)
    facts = _read_facts(lake, span)
    known = {one.id: one.embeddings for one in container.releases.list_releases()}
    signals = [name_signal_column(name) for name in list_signals(ranker.feature_names)]
    options = ReadOptions(MAX_TIME_MS, (*LOGGED, *signals))
    for pages in read_logged_pages(lake, *span, options):
        slots = find_slots(pages, facts)
        served_by = [known.get(name) for name in to_texts(slots["release"]).tolist()]
        others = np.array([embeddings != release.embeddings for embeddings in served_by], bool)
        left_out["served with other embeddings: its signals would differ"] += int(others.sum())
        if (usable := slots.filter(pa.array(~others))).num_rows:
            yield score_slots(pages, usable, ranker)


def _read_facts(lake: Lake, span: tuple[datetime, datetime]) -> pa.Table:
    batches = list(lake.scan(REQUESTS, *span, REQUEST_FACTS))
    schema = pa.schema(
        [("request_id", pa.string()), ("release", pa.string()), ("exploration_pool", pa.list_(pa.string()))]
    )
    return pa.Table.from_batches([batch.cast(schema) for batch in batches], schema)


def find_slots(pages: LoggedPages, facts: pa.Table) -> pa.Table:
    """Returns the first slot of each page whose whole group was logged, with its viewer, pool and release."""
    rows = pages.candidates
    is_slot = pc.and_(pc.and_(rows["shown"], pc.is_valid(rows["propensity"])), rows["is_whole_group"])
    slots = rows.filter(is_slot).select(["request_id", "item", "position", *LOGGED]).sort_by("position")
    _, first = np.unique(to_texts(slots["request_id"]), return_index=True)
    slots = slots.take(pa.array(first))
    asked = find_indices(slots["request_id"], pages.requests["request_id"])
    fact = find_indices(slots["request_id"], facts["request_id"])
    slots = slots.append_column("user_key", pages.requests["user_key"].take(pa.array(asked)))
    for name in ("release", "exploration_pool"):
        slots = slots.append_column(name, facts[name].take(pa.array(fact)))
    return slots


def score_slots(pages: LoggedPages, slots: pa.Table, ranker: Ranker) -> dict[str, LoggedActions]:
    """Ranks the pool of each slot by the logged signals; the target shows the best of it."""
    pools = slots["exploration_pool"].combine_chunks()
    slot_of_pool = to_array(pc.list_parent_indices(pools), np.int64)
    pool = pa.table(
        {"request_id": slots["request_id"].take(pa.array(slot_of_pool)), "item": pc.list_flatten(pools)}
    )
    row = find_indices(to_page_item_keys(pool), to_page_item_keys(pages.candidates))
    slot_of_pool, row = slot_of_pool[row >= 0], row[row >= 0]
    candidates = pages.candidates.take(pa.array(row))
    columns = {
        name: to_array(candidates[name_signal_column(name)], np.float32)
        for name in list_signals(ranker.feature_names)
    }
    scores = ranker.score(compute_features(Signals(columns), ranker.feature_names))
    order = np.lexsort((-scores, slot_of_pool))
    has_pool, first = np.unique(slot_of_pool[order], return_index=True)
    best = order[first]
    slots = slots.take(pa.array(has_pool))
    is_same = to_texts(candidates["item"].take(pa.array(best))) == to_texts(slots["item"])
    used, watched = _read_rewards(pages, slots)
    viewers = to_texts(slots["user_key"])
    viewers = np.where(viewers == "", to_texts(slots["request_id"]), viewers)
    by_use = LoggedActions(
        viewers,
        propensity=to_floats(slots["propensity"]),
        reward=used,
        position=to_array(slots["position"], np.int64),
        target=is_same.astype(float),
        predicted=to_floats(slots["probability"]),
        expected=to_floats(candidates["probability"].take(pa.array(best))),
    )
    unknown = np.full(len(slots), np.nan)
    return {USED: by_use, WATCHED: replace(by_use, reward=watched, predicted=unknown, expected=unknown)}


def _read_rewards(pages: LoggedPages, slots: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns whether each shown item was clicked or played, and how many seconds it was watched."""
    where = find_indices(to_page_item_keys(slots), to_page_item_keys(pages.outcomes))
    outcomes = pages.outcomes.take(pa.array(np.maximum(where, 0))) if len(pages.outcomes) else None
    if outcomes is None:
        return np.zeros(len(slots)), np.zeros(len(slots))
    used = np.maximum(to_floats(outcomes["clicked"]), to_floats(outcomes["played"])) * (where >= 0)
    watched = np.nan_to_num(to_floats(outcomes["watched_ms"])) / 1000 * (where >= 0)
    return used, watched


def join_logs(logs: list[LoggedActions]) -> LoggedActions:
    """Returns the decisions of all parts as one."""
    if not logs:
        empty = np.empty(0)
        return LoggedActions(empty.astype(np.str_), empty, empty, empty.astype(np.int64), empty, empty, empty)
    columns = [field.name for field in fields(LoggedActions)]
    return LoggedActions(*(np.concatenate([getattr(log, name) for log in logs]) for name in columns))
