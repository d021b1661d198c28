"""Simulated viewers in process: seeds repeat, the truth is what happens, and better policies earn more."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binom

from reelrank.app.simulation.behaviour import (
    Reactions,
    Truth,
    compute_examination,
    count_in_time,
    draw_reactions,
    estimate_outcomes,
)
from reelrank.app.simulation.films import Film, Films, make_films
from reelrank.app.simulation.recommenders import Feedback, InProcessPolicy, InProcessRecommender, Pages
from reelrank.app.simulation.report import TrafficReport, estimate_ratio
from reelrank.app.simulation.traffic import TICK_MS, GroundTruth, TrafficOptions, run_traffic
from reelrank.app.simulation.viewers import Visits
from reelrank.index_mappings.event import DAY_MS, MINUTE_MS
from reelrank.ranking.progress import ignore_progress

START_MS = 20_000 * DAY_MS
SEEDS = 20
AIM = 0.9
"""Share of the seeds that docs/benchmarks.md asks for: 18 of 20."""
LEAST_COVERED = int(binom.ppf(0.05, SEEDS, 0.95))
"""A 95 % interval covers the truth in fewer seeds with a probability of less than 5 %. It was measured with
seeds 20 to 139 as well, which no bound was chosen by: 112 to 116 of 120, for each measure."""


class RecordedRecommender(InProcessRecommender):
    """Keeps what it was asked and told."""

    def __init__(self, policy: InProcessPolicy, truth: GroundTruth, seed: int) -> None:
        super().__init__(policy, truth.films, truth.viewers, seed)
        self.feedback: list[Feedback] = []
        self.published: list[tuple[int, Sequence[Film]]] = []

    def observe(self, feedback: Feedback) -> None:
        super().observe(feedback)
        self.feedback.append(feedback)

    def publish(self, films: Sequence[Film], at_ms: int) -> None:
        super().publish(films, at_ms)
        self.published.append((at_ms, films))


def simulate(
    policy: InProcessPolicy, seed: int = 0, viewers: int = 60, days: float = 3
) -> tuple[TrafficReport, RecordedRecommender]:
    options = TrafficOptions(seed, viewers, days, START_MS, new_films=2)
    films = Films(seed)
    films.add(make_films(seed, "film", 150, START_MS - 100 * DAY_MS))
    truth = GroundTruth(films, options.create_viewers())
    stub = RecordedRecommender(policy, truth, seed)
    return run_traffic(options, truth, stub, ignore_progress), stub


def test_a_seed_repeats_and_another_one_differs() -> None:
    first, again, other = (simulate("popular", seed)[0].to_json() for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.slow
def test_the_observed_rates_cover_what_the_truth_expects() -> None:
    reports = [simulate("popular", seed, viewers=100, days=4)[0] for seed in range(SEEDS)]
    for measures in ([report.ctr for report in reports], [report.watch_time for report in reports]):
        covered = [m.observed.low <= m.expected <= m.observed.high for m in measures]
        paired = [m.difference.low <= 0 <= m.difference.high for m in measures]
        assert sum(covered) >= AIM * SEEDS
        assert sum(paired) >= LEAST_COVERED
    for name in reports[0].as_served:
        measures = [report.as_served[name] for report in reports]
        assert sum(m.observed.low <= m.expected <= m.observed.high for m in measures) >= LEAST_COVERED


def test_who_knows_more_of_viewers_earns_more() -> None:
    expected = [simulate(policy)[0].ctr.expected for policy in ("random", "popular", "oracle")]
    assert expected == sorted(expected)
    assert expected[2] > 2 * expected[0]


def test_positions_are_examined_with_the_known_probabilities() -> None:
    report, stub = simulate("random", viewers=300)
    seen = np.concatenate([feedback.reactions.is_viewed for feedback in stub.feedback])
    examination = compute_examination(seen.shape[1])
    error = np.sqrt(examination * (1 - examination) / len(seen))
    assert (np.abs(seen.mean(axis=0) - examination) <= 4 * error).all()
    assert (seen[:, 1:] <= seen[:, :-1]).all()
    assert report.totals["viewed"].sum() == seen.sum()


def test_only_what_was_examined_is_clicked_and_watched_one_after_another() -> None:
    _, stub = simulate("oracle")
    for feedback in stub.feedback:
        reactions = feedback.reactions
        assert (reactions.is_viewed | ~reactions.is_clicked).all()
        assert ((reactions.shares > 0) == reactions.is_clicked).all()
        for page in np.flatnonzero(reactions.is_clicked.sum(axis=1) > 1):
            clicked = np.flatnonzero(reactions.is_clicked[page])
            started = feedback.started_ms[page, clicked]
            watched = (reactions.shares * feedback.duration_ms)[page, clicked]
            assert (started[1:] >= started[:-1] + np.floor(watched[:-1])).all()


def test_only_what_begins_within_the_window_counts_for_its_page() -> None:
    page = Truth(np.ones((1, 3)), np.ones((1, 3)), np.full((1, 3), 0.5), np.full((1, 3), 600_000.0))
    shares = np.array([[0.5, 0.6, 0.7]])  # 5, 6 and 7 minutes: the third begins after 11 minutes
    reactions = Reactions(np.ones((1, 3), bool), np.ones((1, 3), bool), shares)
    uses, watched_ms = count_in_time(page, reactions, 10 * MINUTE_MS)
    assert (uses.tolist(), watched_ms.tolist()) == ([2.0], [660_000.0])
    report, _ = simulate("oracle")
    assert 0 < report.totals["uses"].sum() < 0.9 * report.totals["clicks"].sum()


def test_expected_outcomes_are_the_mean_of_what_happens() -> None:
    rng = np.random.default_rng(0)
    page = Truth(
        compute_examination(6)[None, :], np.full((1, 6), 0.3), np.full((1, 6), 0.4), np.full((1, 6), 1e6)
    )
    many = Truth(*(np.repeat(getattr(page, name), 20_000, axis=0) for name in page.__slots__))
    uses, watched_ms = count_in_time(many, draw_reactions(many, rng), 10 * MINUTE_MS)
    few = Truth(*(np.repeat(getattr(page, name), 200, axis=0) for name in page.__slots__))
    expected = estimate_outcomes(few, draw_reactions(few, rng), 10 * MINUTE_MS, rng)
    assert expected.expected_uses.mean() == pytest.approx(uses.mean(), rel=0.03)
    assert expected.expected_watched_ms.mean() == pytest.approx(watched_ms.mean(), rel=0.04)


def test_a_viewer_waits_until_what_they_watch_is_over() -> None:
    _, stub = simulate("oracle")
    free_ms: dict[int, float] = {}
    for feedback in stub.feedback:
        over = feedback.started_ms + feedback.reactions.shares * feedback.duration_ms
        for row, at_ms, end_ms in zip(
            feedback.visits.rows.tolist(),
            feedback.visits.at_ms.tolist(),
            over.max(axis=1).tolist(),
            strict=True,
        ):
            assert at_ms >= free_ms.get(row, 0)
            free_ms[row] = end_ms - 1


def test_viewers_leave_and_return_on_other_days() -> None:
    _, stub = simulate("popular", days=7)
    days = {
        (row, at_ms // DAY_MS)
        for f in stub.feedback
        for row, at_ms in zip(f.visits.rows, f.visits.at_ms, strict=True)
    }
    by_viewer = np.bincount([row for row, _ in days])
    assert (by_viewer > 1).mean() > 0.5
    assert (by_viewer < 7).any()


def test_new_films_come_out_every_day_and_are_recommended() -> None:
    _, stub = simulate("random", days=4)
    assert [at_ms // DAY_MS - START_MS // DAY_MS for at_ms, _ in stub.published] == [0, 1, 2, 3]
    shown = set(np.concatenate([feedback.pages.rows.ravel() for feedback in stub.feedback]).tolist())
    assert {150, 151} <= shown


def test_a_taste_drifts_by_hour_and_by_week() -> None:
    viewers = TrafficOptions(0, 200, 7, START_MS).create_viewers()
    rows = np.arange(200)

    def find_similarity(days: float) -> float:
        then = viewers.compute_tastes(Visits(rows, np.full(200, START_MS, np.int64)))
        later = viewers.compute_tastes(Visits(rows, np.full(200, START_MS + round(days * DAY_MS), np.int64)))
        return float((then * later).sum(axis=1).mean())

    assert find_similarity(0.5) < 0.97
    assert find_similarity(0.5) < find_similarity(1.0)
    assert find_similarity(1.0) > find_similarity(7.0)
    assert 0.5 < find_similarity(7.0) < 0.9


def test_a_film_that_was_watched_is_hardly_clicked_again() -> None:
    films = Films(0)
    rows = films.add(make_films(0, "film", 20, START_MS))[None, :]
    options = TrafficOptions(0, 1, 1, START_MS)
    truth = GroundTruth(films, options.create_viewers())
    visits, pages = Visits(np.array([0]), np.array([START_MS])), Pages(rows, ["one"])
    before = truth.find_truth(visits, pages).attraction
    truth.remember(visits, pages, np.arange(20)[None, :] == 3)
    after = truth.find_truth(visits, pages).attraction
    assert after[0, 3] < 0.05 * before[0, 3]
    assert np.delete(after[0] == before[0], 3).all()


def test_the_truth_of_a_film_does_not_depend_on_when_it_is_seen() -> None:
    made = make_films(5, "film", 30, START_MS)
    one, other = Films(5), Films(5)
    one.add(made)
    other.add(made[20:])
    other.add(made[:25])
    order = other.add(made)
    assert (one.factors == other.factors[order]).all()
    assert (one.appeal == other.appeal[order]).all()


def test_a_page_that_failed_counts_as_no_page() -> None:
    class Broken(RecordedRecommender):
        def recommend(self, visits: Visits, size: int) -> Pages:
            pages = super().recommend(visits, size)
            return Pages(np.where(visits.rows[:, None] % 2, -1, pages.rows), pages.request_ids)

    options = TrafficOptions(0, 50, 1, START_MS)
    films = Films(0)
    films.add(make_films(0, "film", 50, START_MS))
    truth = GroundTruth(films, options.create_viewers())
    report = run_traffic(options, truth, Broken("random", truth, 0), ignore_progress)
    asked = sum(int(totals) for totals in report.totals["pages"])
    assert report.failed_pages > 0
    assert asked * 20 == report.totals["impressions"].sum()
    assert report.totals["clicks"][1::2].sum() == report.totals["expected_clicks"][1::2].sum() == 0


def test_a_ratio_without_impressions_says_so() -> None:
    with pytest.raises(ValueError, match="no page was served"):
        estimate_ratio(np.zeros(3), np.zeros(3))


def test_ticks_divide_a_day() -> None:
    assert DAY_MS % TICK_MS == 0
