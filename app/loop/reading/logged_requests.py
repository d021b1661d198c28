"""Logged requests as the loop reads them: how many led to a play, and those that the gate judges on."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelrank.app.clock import to_ms
from reelrank.app.jobs.logged_pages import TRAINING_DAYS, choose_windows
from reelrank.app.loop.work import Labelled
from reelrank.app.wiring import Container, build_lake_storage, read_serving_model
from reelrank.index_mappings.decision import name_signal_column
from reelrank.index_mappings.event import DAY_MS
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.pages import ReadOptions, read_logged_pages
from reelrank.ranking.arrow_columns import to_array, to_texts
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.gate.limits import GateLimits
from reelrank.ranking.gate.requests import GateRequests
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS
from reelrank.ranking.labels.grades import Grader, grade_shown_items
from reelrank.ranking.training.logged import build_logged_groups
from reelrank.ranking.training.logged_rows import LoggedPages, list_signals

MAX_GATE_ROWS = 300_000
"""Seen items that the gate judges on, at most; the newest pages come first. 70 features are 84 MB."""
READ_AT_ONCE = timedelta(hours=4)


def count_answered(container: Container, since_ms: int) -> Labelled:
    """Counts the requests after a time whose plays can be known, and those that led to one; and of those that
    the gate would judge on, how many led to one."""
    now, settings, lake = container.clock.now(), container.settings, _open_lake(container)
    to = now - timedelta(milliseconds=PLAY_WINDOW_MS)
    begin = max(datetime.fromtimestamp(since_ms / 1000, UTC), now - timedelta(days=TRAINING_DAYS))
    windows = choose_windows(lake, now, settings.gate_hours)
    test = windows.test if windows is not None else to
    requests, answered, judged, newest = 0, 0, 0, since_ms
    for pages in read_logged_pages(lake, min(begin, test), to, _build_options(now)) if begin < to else ():
        at_ms = to_array(pages.requests["at_ms"], np.int64)
        played = pages.outcomes.filter(pages.outcomes["played"])["request_id"]
        is_answered = to_array(pc.is_in(pages.requests["request_id"], pc.unique(played)), np.bool_)
        is_new = at_ms >= to_ms(begin)
        requests, answered = requests + int(is_new.sum()), answered + int((is_new & is_answered).sum())
        judged += int((is_answered & (at_ms >= to_ms(test))).sum())
        newest = max(newest, int(at_ms.max(initial=0)) + 1)
    return Labelled(
        requests,
        answered,
        settings.loop_min_requests,
        newest,
        read_serving_model(container) is not None,
        judged,
        GateLimits().min_requests,
    )


def read_gate_requests(container: Container, grader: Grader) -> GateRequests | None:
    """Returns the newest logged requests, which no model has learned from; None without any.

    Only seen items count: nothing is known of the others.
    """
    lake = _open_lake(container)
    windows = choose_windows(lake, container.clock.now(), container.settings.gate_hours)
    if windows is None:
        return None
    columns = tuple(name_signal_column(name) for name in list_signals(FEATURE_NAMES))
    options, parts, rows = _build_options(windows.end, columns), list[GateRequests](), 0
    end = windows.end
    while end > windows.test and rows < MAX_GATE_ROWS:
        begin = max(end - READ_AT_ONCE, windows.test)
        for pages in read_logged_pages(lake, begin, end, options):
            if (part := build_gate_requests(pages, grader)) is not None:
                parts.append(part)
                rows += len(part.gains)
        end = begin
    return join_requests(parts) if parts else None


def build_gate_requests(pages: LoggedPages, grader: Grader) -> GateRequests | None:
    """Returns the seen items of these pages in the order that was shown; None without any."""
    shown = LoggedPages(pages.requests, pages.candidates.filter(pages.candidates["shown"]), pages.outcomes)
    groups = build_logged_groups(shown, FEATURE_NAMES, lambda rows: grade_shown_items(rows, grader))
    if not len(groups):
        return None
    where = pc.index_in(pa.array(groups.request_ids.tolist()), pages.requests["request_id"])
    users = to_texts(pages.requests["user_key"].take(where))
    viewers = np.where(users == "", groups.request_ids, users)
    rows = groups.rows
    return GateRequests(FEATURE_NAMES, rows.features, rows.gains, rows.groups, viewers)


def join_requests(parts: list[GateRequests]) -> GateRequests:
    """Returns all requests as one."""
    first = parts[0]
    columns = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("features", "gains", "groups", "viewers")
    )
    return GateRequests(first.names, *columns)


def _build_options(end: datetime, columns: tuple[str, ...] = ()) -> ReadOptions:
    return ReadOptions(round(end.timestamp() * 1000) + DAY_MS, columns)


def _open_lake(container: Container) -> Lake:
    return Lake(build_lake_storage(container.settings))
