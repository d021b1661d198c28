"""One logged request: what it showed, its scores computed again, and the order of another release."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.app.jobs.served.logged_requests import LoggedRequests, to_time
from reelrank.app.jobs.served.replay import open_index
from reelrank.app.wiring import (
    Container,
    apply_release_settings,
    build_lake_storage,
    build_release_manager,
    load_model,
)
from reelrank.index_mappings.decision import CANDIDATES, REQUEST_SCHEMA, REQUESTS, name_signal_column
from reelrank.index_mappings.errors import ModelNotFound, NotFound
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.arrow_columns import to_array, to_floats
from reelrank.ranking.features.compute import FEATURE_NAMES, compute_features
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.blending import BlendWeights, blend_rankers
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.registry.releases import Release, find_release
from reelrank.ranking.signals.observe import Signals
from reelrank.ranking.training.logged_rows import list_signals

LOGGED = (
    "item",
    "position",
    "shown",
    "score",
    "probability",
    "propensity",
    "ranked_position",
    "is_whole_group",
)
FETCH_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class RequestItem:
    """A candidate of the request, in the order of the log. score: as logged; again: computed from the logged
    signals; both None where unknown. other: position from 0 that another release gives it, -1 for none."""

    position: int
    item: str
    title: str
    shown: bool
    score: float | None
    again: float | None
    probability: float | None
    is_explored: bool
    other: int = -1


@dataclass(frozen=True, slots=True)
class OtherPage:
    """What another release would have shown. items: ids, best first. note: how exact it is."""

    release: str
    items: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """row: of the lake. items: those in the lake. equal: scores that are the same bit by bit, of `compared`.

    note: why scores were not computed again; empty if they were.
    """

    row: Mapping[str, Any]
    items: tuple[RequestItem, ...]
    is_whole: bool
    equal: int
    compared: int
    note: str
    other: OtherPage | None = None


def read_request(container: Container, request_id: str, days: float, release_id: str = "") -> LoggedRequest:
    """Reads a request of the last days. release_id: also ranks it by this release. Raises NotFound."""
    lake, now = Lake(build_lake_storage(container.settings)), container.clock.now()
    row = _find_row(lake, request_id, (now - timedelta(days=days), now), days)
    logged = _read_candidates(lake, row)
    scored = _score_again(container, row, logged)
    other = None
    if release_id:
        release = find_release(build_release_manager(container).list_releases(), release_id)
        other = _rank_by(container, release, row, logged)
    return _assemble(container, row, logged, scored, other)


def _find_row(lake: Lake, request_id: str, span: tuple[datetime, datetime], days: float) -> dict[str, Any]:
    for batch in lake.scan(REQUESTS, *span, REQUEST_SCHEMA.names):
        found = batch.filter(pc.equal(batch["request_id"], request_id))
        if found.num_rows:
            row: dict[str, Any] = found.to_pylist()[0]
            return row
    raise NotFound(
        f"the lake has no request {request_id!r} of the last {days:g} days; look further back: "
        "reelrank requests show ID --days 90",
        code="request_not_logged",
    )


def _read_candidates(lake: Lake, row: Mapping[str, Any]) -> pa.Table:
    """Returns the logged candidates of a request with their signals, in the order of their positions."""
    at = to_time(row["at_ms"])
    signals = [name_signal_column(name) for name in list_signals(FEATURE_NAMES)]
    batches = [
        batch.filter(pc.equal(batch["request_id"], row["request_id"]))
        for batch in lake.scan(
            CANDIDATES, at, at + timedelta(milliseconds=1), ("request_id", *LOGGED, *signals)
        )
    ]
    if not batches:
        raise NotFound(
            f"the lake has no candidates of {row['request_id']}; `reelrank lake check` looks why",
            code="request_not_logged",
        )
    return pa.Table.from_batches(batches).sort_by("position")


def _score_again(
    container: Container, row: Mapping[str, Any], logged: pa.Table
) -> tuple[NDArray[np.float32] | None, str]:
    """Returns the scores [n] of the model that served, from the logged signals; or why there are none."""
    if row["model"] == FusedOrder.name:
        return None, "no model ranked it: it was in the fused order of the sources"
    if row["feature_fingerprint"] != compute_feature_fingerprint(FEATURE_NAMES):
        return None, "it was served by a build with other features"
    try:
        ranker = load_model(container.registry.find_directory(row["model"]))
        ranker = blend_rankers(ranker, _find_weights(container, row["release"]))
    except ModelNotFound:
        return None, f"model {row['model']} is not kept any more"
    return _score(ranker, logged), ""


def _find_weights(container: Container, release_id: str) -> BlendWeights:
    """Returns the weights that a release served with: its own, unless the settings state them."""
    try:
        release = find_release(container.releases.list_releases(), release_id)
    except NotFound:  # the request named a model, or the release is not kept any more
        return container.config.blend
    return apply_release_settings(container, release).config.blend


def _score(ranker: Ranker, logged: pa.Table) -> NDArray[np.float32]:
    columns = {
        name: to_array(logged[name_signal_column(name)], np.float32)
        for name in list_signals(ranker.feature_names)
    }
    return ranker.score(compute_features(Signals(columns), ranker.feature_names))


def _rank_by(container: Container, release: Release, row: Mapping[str, Any], logged: pa.Table) -> OtherPage:
    """Ranks the request by another release: exactly where its whole group was kept, else again."""
    if release.model == FusedOrder.name:
        raise NotFound(f"{release.id} has no model; choose a release with one", code="model_not_found")
    ranker = load_model(container.registry.find_directory(release.model))
    ranker = blend_rankers(ranker, apply_release_settings(container, release).config.blend)
    if pc.all(logged["is_whole_group"]).as_py():
        scores = _score(ranker, logged)
        order = np.lexsort((np.arange(len(scores)), -scores))
        note = "from all candidates and signals as they were logged, before exploration and diversity"
        return OtherPage(release.id, tuple(logged["item"].take(pa.array(order)).to_pylist()), note)
    if release.index_version not in {version.name for version in container.engine.versions()}:
        raise NotFound(
            f"only what {row['request_id']} showed was logged, and the index version of {release.id} is not "
            "kept, so it cannot be ranked again; REELRANK_LOG_SHARE=1 keeps all candidates",
            code="request_not_logged",
        )
    serving = open_index(container, release.index_version)
    serving = replace(serving, index=replace(serving.index, ranker=ranker))
    requests = LoggedRequests(pa.Table.from_pylist([dict(row)], REQUEST_SCHEMA), {})
    (again,) = serving.replay(requests, 0, serving.read_viewers(requests), ignore_progress)
    ids = again.ranking.found.candidates.ids[again.ranking.order]
    note = f"ranked again on {release.index_version}, as of the time of the request; items may have changed"
    return OtherPage(release.id, tuple(item.decode() for item in ids.tolist()), note)


def _assemble(
    container: Container,
    row: Mapping[str, Any],
    logged: pa.Table,
    scored: tuple[NDArray[np.float32] | None, str],
    other: OtherPage | None,
) -> LoggedRequest:
    again, note = scored
    ids = logged["item"].to_pylist()
    titles = [found.title if found else "" for found in container.engine.fetch(ids, FETCH_TIMEOUT_S)]
    places = {item: place for place, item in enumerate(other.items)} if other else {}
    scores = to_floats(logged["score"]).astype(np.float32)
    equal = np.zeros(len(ids), bool) if again is None else again == scores
    items = tuple(
        RequestItem(
            candidate["position"],
            candidate["item"],
            titles[n],
            candidate["shown"],
            candidate["score"],
            None if again is None else float(again[n]),
            candidate["probability"],
            candidate["propensity"] is not None,
            places.get(candidate["item"], -1),
        )
        for n, candidate in enumerate(logged.select(LOGGED).to_pylist())
    )
    is_whole = bool(pc.all(logged["is_whole_group"]).as_py())
    compared = 0 if again is None else int(np.isfinite(scores).sum())
    return LoggedRequest(row, items, is_whole, int(equal.sum()), compared, note, other)
