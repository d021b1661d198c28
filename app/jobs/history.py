"""What a training run learns from: all events and documents, and three windows of time."""

from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from reelrank.app.state.unknown_items import describe_unknown_items
from reelrank.app.wiring import Container, apply_release_settings, build_user_keys
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.index_mappings.item import Document
from reelrank.loaders.items.reindex import scan_documents
from reelrank.ranking.embeddings.watches import build_event_table
from reelrank.ranking.items.popularity.bots import leave_out_bots
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.training.past_requests import NEW_SHARE, BacktestOptions

log = structlog.get_logger("reelrank.learning")

TRAINING_START_SHARE, EVALUATION_START_SHARE = 0.70, 0.85
"""Shares of the watches, in the order of time, where the second and the third window begin. A service
records twenty impressions for each, loaded history has none: counted too, they would move the windows."""
EARLIER_START_SHARE = 2 * TRAINING_START_SHARE - EVALUATION_START_SHARE
"""Where the window before the second one begins, as long as the second."""
MIN_WATCHES = 100


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """All events and documents, and the times at which the windows of watches begin and the last one ends."""

    container: Container
    events: pa.Table
    documents: list[Document]
    training_ms: int
    evaluation_ms: int
    end_ms: int

    def build_backtest_options(self, requests: int) -> BacktestOptions:
        titles = {document.item.id: document.item.title for document in self.documents}
        return BacktestOptions(requests=requests, config=self.container.config, titles=titles)

    def build_training_options(self, requests: int, grader: Grader) -> BacktestOptions:
        return replace(self.build_backtest_options(requests), grader=grader, new_share=NEW_SHARE)


def read_history(container: Container) -> History:
    """Reads everything, to rank with the settings of the serving release.

    Raises NotFound when there are no items or too few watches to split by time.
    """
    version = container.engine.serving_version()
    if version is None:
        raise NotFound(
            "no index version serves; load items first: reelrank load items FILE", code="no_items_loaded"
        )
    events, bots = leave_out_bots(build_event_table(container.events.scan(0, MAX_TIME_MS)))
    if bots:
        keys = [build_user_keys(container.settings).find_key(bot) for bot in bots[:3]]
        log.warning("events of bots are left out", viewers=len(bots), first=keys)
    batches = scan_documents(container.engine, version, container.encoder)
    documents = [document for batch in batches for document in batch]
    check_watched_items(events, {document.item.id for document in documents})
    return split_by_time(History(apply_release_settings(container), events, documents, 0, 0, 0))


def check_watched_items(events: pa.Table, known: Set[str]) -> None:
    """Names watched items that are in no catalogue. Raises NotFound when too few watches are of others."""
    watched = events.filter(pc.equal(events["kind"], "watch"))["item"]
    counts = {pair["values"]: pair["counts"] for pair in pc.value_counts(watched).to_pylist()}
    unknown = {item_id: count for item_id, count in counts.items() if item_id not in known}
    if not unknown:
        return
    unknown = dict(sorted(unknown.items(), key=lambda pair: (-pair[1], pair[0])))
    sentence = describe_unknown_items(unknown, len(watched))
    if MIN_WATCHES <= len(watched) < MIN_WATCHES + sum(unknown.values()):
        raise NotFound(f"{sentence}; compare their ids with those of the catalogue", code="too_few_watches")
    log.warning("watches of unknown items", reason=sentence)


def split_by_time(history: History) -> History:
    """Returns the same history with its windows. Raises NotFound when there are too few watches."""
    events = history.events
    times = np.sort(events.filter(pc.equal(events["kind"], "watch"))["at_ms"].to_numpy())
    if len(times) < MIN_WATCHES:
        raise NotFound(
            f"{len(times)} watches are too few to learn from, {MIN_WATCHES} are the least; load more: "
            "reelrank load events FILE",
            code="too_few_watches",
        )
    training, evaluation = (
        int(times[int(share * len(times))]) for share in (TRAINING_START_SHARE, EVALUATION_START_SHARE)
    )
    return replace(history, training_ms=training, evaluation_ms=evaluation, end_ms=int(times[-1]) + 1)


def select_earlier_window(history: History) -> History:
    """Returns the history before its evaluation window, split by time in the same way."""
    events = history.events
    times = np.sort(events.filter(pc.equal(events["kind"], "watch"))["at_ms"].to_numpy())
    return replace(
        history,
        events=events.filter(pc.less(events["at_ms"], history.evaluation_ms)),
        training_ms=int(times[int(EARLIER_START_SHARE * len(times))]),
        evaluation_ms=history.training_ms,
        end_ms=history.evaluation_ms,
    )
