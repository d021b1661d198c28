"""What an interleaved experiment found: whose items viewers use, with an interval clustered by viewer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.special import stdtr, stdtrit

from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.measurement.analysis import ReportTimes
from reelrank.ranking.experiments.measurement.effects import ALPHA, OPTIMAL_DAYS
from reelrank.ranking.experiments.measurement.report import ArmVerdict, ReportHead, Verdict, name_day
from reelrank.ranking.experiments.measurement.sample_ratio import MISMATCH_P
from reelrank.ranking.experiments.sequential import compute_boundary

MIN_VIEWERS = 30
"""Viewers who used an item of a team from which on a preference is estimated: as in off-policy estimates."""
TEAM_TOTALS = ("shown", "used", "watched_s", "won")
"""Totals of a team. used: items that were clicked or played. won: pages on which it has more of those."""
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class InterleavingLog:
    """Rows [r]: what one viewer did on one day on interleaved pages. viewer: any number of the viewer.

    day: since 1970. pages [r]: how many. totals [r, 2] of both teams, by name of TEAM_TOTALS.
    """

    viewer: NDArray[np.int64]
    day: NDArray[np.int64]
    pages: Values
    totals: Mapping[str, Values]

    def __len__(self) -> int:
        return len(self.viewer)

    def select(self, mask: NDArray[np.bool_]) -> "InterleavingLog":
        totals = {name: column[mask] for name, column in self.totals.items()}
        return InterleavingLog(self.viewer[mask], self.day[mask], self.pages[mask], totals)

    def total_by_viewer(self, name: str) -> Values:
        """Returns the totals [viewers, 2] of both teams."""
        _, row = np.unique(self.viewer, return_inverse=True)
        return np.stack([np.bincount(row, column) for column in self.totals[name].T], axis=1)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Preference(_Part):
    """The share of the second arm; 0.5 is no preference. low, high: to be read once, after the planned days;
    any_low, any_high: to be read every day. viewers: on whom it rests."""

    value: float
    low: float
    high: float
    any_low: float
    any_high: float
    p_value: float
    viewers: int


class TeamCount(_Part):
    arm: str
    shown: int
    used: int
    watched_s: float
    won: int


class DayPreference(_Part):
    day: str
    value: float
    low: float
    high: float


class InterleavingReport(ReportHead):
    """pages: of `viewers`. preference: by used items, which decides; by_pages: by pages won. None for too few
    viewers. draft_p: of the shown items of both teams, which a working draft makes equally many."""

    pages: int
    viewers: int
    teams: tuple[TeamCount, TeamCount]
    preference: Preference | None
    by_pages: Preference | None
    draft_p: float
    by_day: tuple[DayPreference, ...]
    verdicts: tuple[ArmVerdict, ...] = ()

    @property
    def is_mis_split(self) -> bool:
        return self.draft_p < MISMATCH_P


def build_interleaving_report(
    experiment: Experiment, log: InterleavingLog, times: ReportTimes
) -> InterleavingReport:
    """Measures all viewers, then days, and decides."""
    active_days = len(log)
    used, won, shown = (log.total_by_viewer(name) for name in ("used", "won", "shown"))
    report = InterleavingReport(
        name=experiment.name,
        status=experiment.status,
        measured_at=times.measured_at,
        begin=times.begin,
        end=times.end,
        days=times.days,
        planned_days=experiment.definition.planned_days,
        pages=int(log.pages.sum()),
        viewers=len(used),
        teams=_count_teams(experiment, log),
        preference=estimate_preference(used, active_days),
        by_pages=estimate_preference(won, active_days),
        draft_p=_check_draft(shown),
        by_day=tuple(_measure_days(log)),
    )
    return report.model_copy(update={"verdicts": (decide_preference(report),)})


def estimate_preference(totals: Values, active_days: int, alpha: float = ALPHA) -> Preference | None:
    """Returns the second team's share of totals [n, 2] of viewers; None for too few viewers with any.

    A ratio of sums, linearised by viewer: a viewer has many pages (the delta method, Deng et al. 2018), with
    Student's t. active_days: the intrinsic time of the confidence sequence, as in other experiments.
    """
    totals = totals[totals.sum(axis=1) > 0]
    n = len(totals)
    if n < MIN_VIEWERS:
        return None
    both = totals.sum(axis=1)
    value = float(totals[:, 1].sum() / both.sum())
    z = (totals[:, 1] - value * both) / both.mean()
    error = float(z.std(ddof=1) / np.sqrt(n))
    half = float(stdtrit(n - 1, 1 - alpha / 2)) * error
    time = float(max(active_days, 1))
    any_half = float(compute_boundary(np.array([time]), alpha, OPTIMAL_DAYS)[0] / np.sqrt(time)) * error
    p_value = float(2 * stdtr(n - 1, -abs(value - 0.5) / error)) if error else float(value == 0.5)
    return Preference(
        value=value, low=value - half, high=value + half, any_low=value - any_half,
        any_high=value + any_half, p_value=p_value, viewers=n,
    )  # fmt: skip


def _check_draft(shown: Values) -> float:
    """Returns the p-value of equally many shown items of both teams, clustered by viewer."""
    surplus = shown[:, 1] - shown[:, 0]
    error = float(surplus.std(ddof=1) / np.sqrt(len(surplus))) if len(surplus) > 1 else 0.0
    return float(2 * stdtr(len(surplus) - 1, -abs(surplus.mean()) / error)) if error else 1.0


def _count_teams(experiment: Experiment, log: InterleavingLog) -> tuple[TeamCount, TeamCount]:
    first, second = (
        TeamCount(
            arm=arm.name,
            shown=int(log.totals["shown"][:, team].sum()),
            used=int(log.totals["used"][:, team].sum()),
            watched_s=float(log.totals["watched_s"][:, team].sum()),
            won=int(log.totals["won"][:, team].sum()),
        )
        for team, arm in enumerate(experiment.definition.arms)
    )
    return first, second


def _measure_days(log: InterleavingLog) -> Iterator[DayPreference]:
    for day in np.unique(log.day).tolist():
        part = log.select(log.day == day)
        found = estimate_preference(part.total_by_viewer("used"), len(part))
        if found is not None:
            yield DayPreference(day=name_day(day), value=found.value, low=found.low, high=found.high)


def decide_preference(report: InterleavingReport) -> ArmVerdict:
    """Returns the verdict on the second arm: by the interval for any look until the planned days are over."""
    first, second = (team.arm for team in report.teams)
    if report.is_mis_split:
        return ArmVerdict(arm=second, verdict=Verdict.MIS_SPLIT, sentence=_describe_draft(report))
    found, is_over = report.preference, report.is_over
    if found is None:
        sentence = f"Too early: {MIN_VIEWERS} viewers must have used an item."
        return ArmVerdict(arm=second, verdict=Verdict.TOO_EARLY, sentence=sentence)
    low, high = (found.low, found.high) if is_over else (found.any_low, found.any_high)
    between = f"between {low:.1%} and {high:.1%}" + ("" if is_over else " at any look")
    what = f"{found.value:.1%} of the used items are those of {second} ({between})"
    if low > 0.5:
        verdict, sentence = Verdict.BETTER, f"{second} is preferred to {first}: {what}. It can be promoted."
    elif high < 0.5:
        verdict, sentence = Verdict.HARMFUL, f"Stop it, {first} is preferred to {second}: {what}."
    elif is_over:
        verdict = Verdict.NO_DIFFERENCE
        sentence = f"No certain preference after {report.days:.1f} days: {what}; 50 % is none."
    else:
        verdict = Verdict.UNDECIDED
        sentence = f"{second} is undecided: {what}; 50 % is no preference. Let it run; looking does no harm."
    return ArmVerdict(arm=second, verdict=verdict, sentence=sentence)


def _describe_draft(report: InterleavingReport) -> str:
    shown = ", ".join(f"{team.arm} {team.shown:,}" for team in report.teams)
    return (
        f"Do not read the preference: the arms were not shown equally often ({shown} items; "
        f"p = {report.draft_p:.1g}). Find out which items the log lacks, then start a new experiment."
    )
