"""A promoted release is compared with the one before at the same hours, and like is not taken for worse."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from reelrank.app.loop.watching import ServedPages, compare_releases, select_compared
from reelrank.index_mappings.event import HOUR_MS

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
SINCE_MS = round(SINCE.timestamp() * 1000)
DAY = timedelta(days=1)
VIEWERS = 300


def make_visits(seed: int, hours: float = 48.0, worse: float = 1.0) -> ServedPages:
    """Pages of two days around the promotion. Viewers who liked a page ask for the next one at once; who
    does not like it comes back after half a day. worse: factor of clicks from the promotion on."""
    rng, rows = np.random.default_rng(seed), list[tuple[str, int, bool]]()
    for viewer in range(VIEWERS):
        hour = rng.uniform(0, 24)
        while hour < hours:
            is_new = hour >= 24
            is_clicked = bool(rng.random() < 0.3 * (worse if is_new else 1.0))
            rows.append((f"v{viewer}", round(SINCE_MS + (hour - 24) * HOUR_MS), is_clicked))
            hour += 0.4 if is_clicked else rng.exponential(12)
    viewers, at_ms, clicked = (np.array(column) for column in zip(*rows, strict=True))
    nothing, zeros = np.full(len(rows), ""), np.zeros(len(rows))
    releases = np.where(at_ms >= SINCE_MS, "new", "old")
    return ServedPages(
        viewers, releases, nothing, nothing, at_ms, zeros + 10, clicked.astype(np.float64),
        600.0 * clicked * rng.exponential(1, len(rows)), zeros, zeros > 0, zeros > 0, zeros > 0,
    )  # fmt: skip


def compare(pages: ServedPages) -> dict[str, bool]:
    checks = compare_releases(*select_compared(pages, ("new", "old"), SINCE, DAY), 0.2)
    return {check.name: check.passed for check in checks}


def test_alike_releases_pass_at_every_look() -> None:
    looks = [compare(make_visits(seed, hours)) for seed in range(20) for hours in (30, 36, 48)]
    assert len(looks) == 60
    assert all(all(found.values()) and found for found in looks)


def test_a_release_with_half_of_the_clicks_is_found() -> None:
    found = [compare(make_visits(seed, worse=0.4)) for seed in range(10)]
    assert [one["clicks"] for one in found] == [False] * 10


def test_the_difference_of_alike_releases_has_no_direction() -> None:
    changes = []
    for seed in range(30):
        new, old = select_compared(make_visits(seed), ("new", "old"), SINCE, DAY)
        changes.append(compare_releases(new, old, 0.2)[1].figures)
    shares = [(figures["after"] - figures["before"]) / figures["before"] for figures in changes]
    assert np.mean(shares) == pytest.approx(0, abs=0.06)
    covered = [figures["low"] <= 0 <= figures["high"] for figures in changes]
    assert sum(covered) >= 25


def test_only_hours_that_both_releases_served_are_compared() -> None:
    pages = make_visits(0)
    late = pages.select(pages.at_ms >= SINCE_MS - 6 * HOUR_MS)
    new, old = select_compared(late, ("new", "old"), SINCE, DAY)
    assert new.at_ms.min() >= SINCE_MS + 18 * HOUR_MS
    early = pages.select(pages.at_ms < SINCE_MS + 3 * HOUR_MS)
    new, old = select_compared(early, ("new", "old"), SINCE, DAY)
    assert old.at_ms.max() < SINCE_MS - 21 * HOUR_MS
    assert len(new.viewers) and len(old.viewers)


def test_more_empty_pages_are_found() -> None:
    pages = make_visits(0)
    half = replace(pages, is_empty=(pages.releases == "new") & (np.arange(len(pages.viewers)) % 2 == 0))
    assert not compare(half)["empty pages"]
