"""Watches a promoted release: what viewers did on its pages, and on those of the release before."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.app.clock import to_ms
from reelrank.app.jobs.lake import export_lake
from reelrank.app.loop.work import Observation, Trend
from reelrank.app.search.trial.arms import FAILED_SOURCE
from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.decision import REQUEST_SCHEMA, REQUESTS
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.pages import ReadOptions, read_logged_pages
from reelrank.ranking.arrow_columns import find_indices, to_array, to_floats, to_texts
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.registry.decisions import Check
from reelrank.ranking.retrieval.source_names import SOURCES

MIN_VIEWERS = 30
"""Viewers of either release; fewer say nothing. A choice."""
NORMAL_95 = 1.96
REQUEST_PARTS = frozenset({*SOURCES, "viewer", "watched", "opinions", "ranking", "items"})
"""What a single page can lack. That a release has no model is no fault of its pages: they would all count as
degraded, and a canary over the fused order could then be as degraded as it liked."""
REQUEST_FACTS = (
    "request_id", "at_ms", "user_key", "surface", "release", "experiment", "variant", "took_ms", "degraded",
    "candidates",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ServedPages:
    """Pages [q]: by whom and by which release they were served, and what was done with them.

    seen, clicked: items; watched_s: seconds watched. is_degraded: REQUEST_PARTS were missing. is_failed: the
    canary failed, so that the serving release answered.
    """

    viewers: NDArray[np.str_]
    releases: NDArray[np.str_]
    experiments: NDArray[np.str_]
    variants: NDArray[np.str_]
    at_ms: NDArray[np.int64]
    seen: NDArray[np.float64]
    clicked: NDArray[np.float64]
    watched_s: NDArray[np.float64]
    took_ms: NDArray[np.float64]
    is_degraded: NDArray[np.bool_]
    is_empty: NDArray[np.bool_]
    is_failed: NDArray[np.bool_]

    def select(self, mask: NDArray[np.bool_]) -> "ServedPages":
        return ServedPages(*(getattr(self, name)[mask] for name in self.__slots__))


def read_served_pages(container: Container, begin: datetime, end: datetime) -> ServedPages:
    """Reads the pages of a span with what followed; a page without candidates is one, too."""
    lake = Lake(build_lake_storage(container.settings))
    batches = list(lake.scan(REQUESTS, begin, end, REQUEST_FACTS))
    facts = pa.Table.from_batches(batches) if batches else REQUEST_SCHEMA.empty_table().select(REQUEST_FACTS)
    facts = facts.filter(pc.not_equal(facts["surface"], "rank"))
    totals = np.zeros((3, len(facts)))
    for pages in read_logged_pages(lake, begin, end, ReadOptions(MAX_TIME_MS)):
        totals += _total_outcomes(pages.outcomes, facts)
    missing = [{text.partition(":")[0] for text in texts} for texts in facts["degraded"].to_pylist()]
    return ServedPages(
        to_texts(facts["user_key"]),
        to_texts(facts["release"]),
        to_texts(facts["experiment"]),
        to_texts(facts["variant"]),
        to_array(facts["at_ms"], np.int64),
        totals[0],
        totals[1],
        totals[2],
        to_floats(facts["took_ms"]),
        np.array([not REQUEST_PARTS.isdisjoint(parts) for parts in missing], bool),
        to_array(pc.equal(facts["candidates"], 0), np.bool_),
        np.array([FAILED_SOURCE in parts for parts in missing], bool),
    )


def compare_pages(container: Container, release: str, baseline: str, since: datetime) -> Observation:
    """Compares the pages since the promotion with those before.

    The order in time is not random, so only a certain loss above the setting counts.
    """
    settings, now = container.settings, container.clock.now()
    window = timedelta(hours=settings.watch_hours)
    if not settings.watch_hours:
        return Observation(Trend.GOOD, "promoted releases are not watched (REELRANK_WATCH_HOURS is 0)")
    pointer = container.releases.read_pointer()
    if pointer is None or pointer.serving.id != release:
        return Observation(Trend.STOPPED, "another release was promoted meanwhile")
    settled = now - timedelta(milliseconds=PLAY_WINDOW_MS)
    export_lake(container, ignore_progress)
    shift = timedelta(days=math.ceil(window / timedelta(days=1)))
    pages = read_served_pages(container, since - shift, max(settled, since))
    new, old = select_compared(pages, (release, baseline), since, shift)
    checks = compare_releases(new, old, settings.watch_loss)
    figures = {"pages": float(len(new.viewers)), "pages_before": float(len(old.viewers))}
    if failed := [check for check in checks if not check.passed]:
        return Observation(Trend.BAD, "; ".join(check.sentence for check in failed), checks, figures)
    if now < since + window:
        return Observation(
            Trend.WAIT, f"it is watched until {since + window:%Y-%m-%d %H:%M}", checks, figures
        )
    sentence = f"nothing certainly got worse in {settings.watch_hours:g} hours"
    if not checks:
        sentence = f"too few viewers to compare with those before: {MIN_VIEWERS} of each release are needed"
    return Observation(Trend.GOOD, sentence, checks, figures)


def select_compared(
    pages: ServedPages, releases: tuple[str, str], since: datetime, shift: timedelta
) -> tuple[ServedPages, ServedPages]:
    """Returns the pages of the release since its promotion, and those of the one before at the same hours of
    earlier days; of both only hours that both have. Pages of unknown viewers are left out.

    Comparing viewers who saw both would favour the release before: who liked a page asks for the next one.
    """
    shift_ms, since_ms = round(shift.total_seconds() * 1000), to_ms(since)
    pages = pages.select(pages.viewers != "")
    new = pages.select((pages.releases == releases[0]) & (pages.at_ms >= since_ms))
    old = pages.select((pages.releases == releases[1]) & (pages.at_ms < since_ms))
    if not (len(new.viewers) and len(old.viewers)):
        return new, old
    new = new.select(new.at_ms - shift_ms >= old.at_ms.min())
    return new, old.select(old.at_ms + shift_ms <= new.at_ms.max(initial=0))


def compare_releases(new: ServedPages, old: ServedPages, loss: float) -> list[Check]:
    """Returns a check of watch time, one of clicks and one of empty pages; none without enough viewers."""
    if min(len(np.unique(part.viewers)) for part in (new, old)) < MIN_VIEWERS:
        return []
    checks = [
        _check_rate(name, measure, (new, old), loss)
        for name, measure in (("watch time", "watched_s"), ("clicks", "clicked"))
    ]
    return [*checks, _check_empty(new, old)]


def _check_rate(name: str, measure: str, pages: tuple[ServedPages, ServedPages], loss: float) -> Check:
    after, before, margin = _compare_rates(pages, measure)
    change, allowed = after - before, -loss * before
    counts = [len(np.unique(part.viewers)) for part in pages]
    return Check(
        name=name,
        passed=change + margin >= allowed,
        sentence=f"{name} per page went from {before:.3f} to {after:.3f} "
        f"[{change - margin:+.3f}, {change + margin:+.3f}] for {counts[0]} viewers, {counts[1]} before",
        figures={"before": before, "after": after, "low": change - margin, "high": change + margin},
        thresholds={"high": allowed},
    )


def _compare_rates(pages: tuple[ServedPages, ServedPages], measure: str) -> tuple[float, float, float]:
    """Returns a measure per page of both, and half of the 95 % interval of their difference, by viewer.

    The delta method for ratios (Deng et al. 2018); a viewer may have pages of both.
    """
    names = np.unique(np.concatenate([part.viewers for part in pages]))
    rates, errors = list[float](), np.zeros(len(names))
    for sign, part in zip((1, -1), pages, strict=True):
        viewer = np.searchsorted(names, part.viewers)
        totals = np.bincount(viewer, getattr(part, measure).astype(np.float64), len(names))
        counts = np.bincount(viewer, minlength=len(names))
        rates.append(float(totals.sum() / counts.sum()))
        errors += sign * (totals - rates[-1] * counts) / counts.sum()
    return rates[0], rates[1], NORMAL_95 * float(np.sqrt((errors**2).sum()))


def _check_empty(new: ServedPages, old: ServedPages) -> Check:
    shares = [float(part.is_empty.mean()) if len(part.is_empty) else 0.0 for part in (new, old)]
    passed = shares[0] <= max(2 * shares[1], 0.05)
    return Check(
        name="empty pages",
        passed=passed,
        sentence=f"{shares[0]:.1%} of its pages are empty, {shares[1]:.1%} were before",
        figures={"share": shares[0], "before": shares[1]},
        thresholds={"share": max(2 * shares[1], 0.05)},
    )


def _total_outcomes(outcomes: pa.Table, facts: pa.Table) -> NDArray[np.float64]:
    """Returns seen items, used items and seconds watched [3, q] of each page in `facts`."""
    page = find_indices(outcomes["request_id"], facts["request_id"])
    outcomes, page = outcomes.filter(pa.array(page >= 0)), page[page >= 0]
    used = np.maximum(to_floats(outcomes["played"]), to_floats(outcomes["clicked"]))
    watched = np.nan_to_num(to_floats(outcomes["watched_ms"])) / 1000
    columns = (to_floats(outcomes["seen"]), used, watched)
    return np.stack([np.bincount(page, column, minlength=len(facts)) for column in columns])
