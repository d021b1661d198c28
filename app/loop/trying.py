"""Tries a release on traffic: first in the shadow, unseen, then on a share of the viewers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from reelrank.app.jobs.lake import export_lake
from reelrank.app.loop.watching import ServedPages, read_served_pages
from reelrank.app.loop.work import Observation, Trend
from reelrank.app.release.staging import read_staged, start_trial
from reelrank.app.search.trial.shadow import ShadowResult, read_results
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_lake_storage, build_release_manager
from reelrank.index_mappings.decision import REQUESTS
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.experiments.assignment import CANARY, CONTROL, find_arms
from reelrank.ranking.experiments.canary import (
    CLICKS,
    WATCH_TIME,
    CanaryReport,
    Outcomes,
    Verdict,
    judge_canary,
)
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.registry.decisions import Check
from reelrank.ranking.registry.releases import Canary

MAX_ERRORS = 0.01
"""Share of requests that a release may fail in the shadow. A choice: engines are late now and then."""
SLOWER, SLOWER_MS = 2.0, 20.0
"""How much slower it may rank than the serving release, as a factor and in milliseconds; both are measured by
the thread of the shadow. A choice."""
MINUTE_MS = 60_000


def has_traffic(container: Container) -> bool:
    """Returns whether the last hour had enough requests to try a release on."""
    now, settings = container.clock.now(), container.settings
    lake = Lake(build_lake_storage(settings))
    batches = lake.scan(REQUESTS, now - timedelta(hours=1), now, ("request_id",))
    return int(sum(batch.num_rows for batch in batches)) >= settings.loop_min_traffic


def observe_shadow(container: Container, release_id: str, since: datetime | None) -> Observation:
    """Begins the shadow, then reads what it found until that is enough."""
    settings, manager = container.settings, build_release_manager(container)
    if not settings.shadow_requests:
        return Observation(Trend.GOOD, "not tried in the shadow (REELRANK_SHADOW_REQUESTS is 0)")
    if since is None:
        start_trial(manager, None, read_staged(manager, release_id))
        return Observation(Trend.WAIT, f"the shadow ranks {settings.shadow_share:.0%} of the requests, too")
    pointer = container.releases.read_pointer()
    if pointer is None or pointer.shadow is None or pointer.shadow.id != release_id:
        return Observation(Trend.STOPPED, "another release was promoted meanwhile")
    results = read_results(settings.loop_dir, release_id)
    ends = since + timedelta(hours=settings.shadow_hours)
    if len(results) < settings.shadow_requests and container.clock.now() < ends:
        sentence = f"the shadow has ranked {len(results):,} of {settings.shadow_requests:,} requests"
        return Observation(Trend.WAIT, sentence, figures={"requests": float(len(results))})
    checks = judge_shadow(results)
    failed = [check.sentence for check in checks if check.is_blocking and not check.passed]
    if failed:
        return Observation(Trend.BAD, "; ".join(failed), checks)
    start_trial(manager, None, None)
    return Observation(
        Trend.GOOD, checks[-1].sentence if results else "no request reached the shadow", checks
    )


def judge_shadow(results: Sequence[ShadowResult]) -> list[Check]:
    """Returns checks of errors, time and scores; how far both releases agree is recorded only."""
    if not results:
        return []
    failed = [result for result in results if result.error]
    ranked = [result for result in results if not result.error]
    share = len(failed) / len(results)
    checks = [
        Check(
            name="errors",
            passed=share <= MAX_ERRORS,
            sentence=f"it failed {len(failed):,} of {len(results):,} requests in the shadow"
            + (f", first: {failed[0].error}" if failed else ""),
            figures={"share": share, "requests": float(len(results))},
            thresholds={"share": MAX_ERRORS},
        )
    ]
    return [*checks, *_compare(ranked)] if ranked else checks


def _compare(ranked: Sequence[ShadowResult]) -> list[Check]:
    took, serving = (np.array([getattr(r, name) for r in ranked]) for name in ("took_ms", "serving_ms"))
    median, base = float(np.median(took)), float(np.median(serving))
    allowed = SLOWER * base + SLOWER_MS
    means = np.array([result.mean for result in ranked if result.mean is not None])
    deviations = np.array([result.deviation for result in ranked if result.deviation is not None])
    spread = float(np.median(deviations)) if len(deviations) else 0.0
    overlap = float(np.mean([result.overlap for result in ranked]))
    return [
        Check(
            name="latency",
            passed=median <= allowed,
            sentence=f"it ranks in {median:.1f} ms (median), the serving release in {base:.1f} ms",
            figures={"median": median, "p99": float(np.percentile(took, 99)), "serving_median": base},
            thresholds={"median": allowed},
        ),
        Check(
            name="scores",
            passed=spread > 0 and bool(np.isfinite(means).all()),
            sentence=f"its scores have a mean of {means.mean() if len(means) else 0:.3g} and a deviation of "
            f"{spread:.3g} on a page",
            figures={"deviation": spread, "mean": float(means.mean()) if len(means) else 0.0},
        ),
        Check(
            name="agreement",
            passed=True,
            sentence=f"in the shadow, both releases have {overlap:.0%} of the first ten results in common",
            figures={"overlap": overlap},
            is_blocking=False,
        ),
    ]


def observe_canary(container: Container, release_id: str, since: datetime | None) -> Observation:
    """Begins the canary, then judges the viewers of both arms at each call."""
    settings, manager = container.settings, build_release_manager(container)
    if not settings.canary_hours:
        return Observation(Trend.GOOD, "not tried on viewers (REELRANK_CANARY_HOURS is 0)")
    pointer, now = container.releases.read_pointer(), container.clock.now()
    if since is None:
        known = pointer.canary if pointer is not None else None
        if known is None or known.release.id != release_id:
            release = read_staged(manager, release_id)
            canary = Canary(release=release, share=settings.canary_share, salt=release_id, since=now)
            start_trial(manager, canary, None)
        return Observation(Trend.WAIT, f"it serves {settings.canary_share:.0%} of the viewers")
    if pointer is None or pointer.canary is None or pointer.canary.release.id != release_id:
        return Observation(Trend.STOPPED, "another release was promoted meanwhile")
    export_lake(container, ignore_progress)
    settled = now - timedelta(milliseconds=PLAY_WINDOW_MS)
    pages = read_served_pages(container, pointer.canary.since, max(settled, pointer.canary.since))
    outcomes = collect_outcomes(pages, pointer.canary.salt, settled, settings.canary_viewer_minutes)
    report = judge_canary(outcomes, pointer.canary.share, settings.canary_margin)
    is_over = now >= pointer.canary.since + timedelta(hours=settings.canary_hours)
    return decide_canary(report, outcomes, is_over, settings)


def decide_canary(report: CanaryReport, outcomes: Outcomes, is_over: bool, settings: Settings) -> Observation:
    """Returns what follows from a report: a certain verdict at any time, the rest when the time is over."""
    figures = {"viewers": float(report.viewers), "canary": float(outcomes.is_canary.sum())}
    trend, sentence = Trend.WAIT, report.sentence
    if report.verdict is Verdict.WORSE:
        trend = Trend.BAD
    elif report.verdict is Verdict.BETTER:
        trend = Trend.GOOD
    elif is_over and not outcomes.is_canary.any():
        trend, sentence = Trend.BAD, "no viewer was served by it: see the log of the workers"
    elif is_over and report.verdict is Verdict.NOT_WORSE:
        trend = Trend.GOOD
    elif is_over:
        trend = Trend.GOOD if settings.canary_undecided == "promote" else Trend.BAD
        outcome = "promoted" if trend is Trend.GOOD else "refused"
        sentence += f"; no harm was proven in {settings.canary_hours:g} hours, so it is {outcome} "
        sentence += f"(REELRANK_CANARY_UNDECIDED={settings.canary_undecided})"
    return Observation(trend, sentence, report.checks, figures)


def collect_outcomes(pages: ServedPages, experiment: str, settled: datetime, minutes: float) -> Outcomes:
    """Returns what viewers did in so many minutes from their first page in the experiment on.

    Viewers whose time is not over are left out until it is, so what is known of one never changes. They come
    in the order of their first pages.
    """
    variants = find_arms(pages.experiments, pages.variants, experiment)
    of_arm = np.isin(variants, (CONTROL, CANARY)) & (pages.viewers != "")
    pages = replace(pages, variants=variants).select(of_arm)
    names, codes = np.unique(pages.viewers, return_inverse=True)
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, codes, pages.at_ms)
    window_ms = round(minutes * MINUTE_MS)
    is_within = pages.at_ms <= first[codes] + window_ms
    pages, codes = pages.select(is_within), codes[is_within]
    is_canary = np.zeros(len(names), bool)
    is_canary[codes] = pages.variants == CANARY
    done = np.flatnonzero(first + window_ms <= settled.timestamp() * 1000)
    order = done[np.argsort(first[done], kind="stable")]
    totals = {name: _total(values, codes, len(names)) for name, values in _list_values(pages).items()}
    counts = np.maximum(np.bincount(codes, minlength=len(names)), 1)
    metrics = {
        WATCH_TIME: totals["watched_s"],
        CLICKS: totals["clicked"] / np.maximum(totals["seen"], 1),
        "latency": totals["took_ms"] / counts,
        "degraded": totals["is_degraded"] / counts,
        "empty": totals["is_empty"] / counts,
        "errors": totals["is_failed"] / counts,
    }
    return Outcomes(is_canary[order], {name: values[order] for name, values in metrics.items()})


def _list_values(pages: ServedPages) -> dict[str, NDArray[np.float64]]:
    names = ("watched_s", "clicked", "seen", "took_ms", "is_degraded", "is_empty", "is_failed")
    return {name: np.nan_to_num(np.asarray(getattr(pages, name), np.float64)) for name in names}


def _total(values: NDArray[np.float64], codes: NDArray[np.intp], viewers: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(codes, values, minlength=viewers), np.float64)
