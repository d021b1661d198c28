"""Reports of experiments as text: the verdict first, then what it rests on."""

from rich.table import Column, Table

from reelrank.app.cli.console import out, print_plain
from reelrank.ranking.experiments.measurement.interleaving import InterleavingReport, Preference
from reelrank.ranking.experiments.measurement.metrics import METRICS
from reelrank.ranking.experiments.measurement.report import ExperimentReport, MetricEffect
from reelrank.ranking.experiments.measurement.stored_reports import Report


def print_report(measured: Report) -> None:
    """Prints the verdicts, and the tables of either kind of report."""
    for verdict in measured.verdicts:
        out.print(f"{verdict.verdict}: {verdict.sentence}", markup=False, soft_wrap=True)
    if isinstance(measured, InterleavingReport):
        print_interleaving(measured)
    else:
        print_arms(measured)


def print_interleaving(measured: InterleavingReport) -> None:
    """Prints what viewers did with the items of each arm, and both preferences."""
    print_plain(f"{measured.pages:,} interleaved pages of {measured.viewers:,} viewers")
    table = Table("arm", box=None)
    for heading in ("items shown", "used", "watched (h)", "pages won"):
        table.add_column(heading, justify="right")
    for team in measured.teams:
        watched = f"{team.watched_s / 3600:,.1f}"
        table.add_row(team.arm, f"{team.shown:,}", f"{team.used:,}", watched, f"{team.won:,}")
    out.print(table)
    arm = measured.teams[1].arm
    preferences = Table("preference", "value", "at any look", "once, at the end", "p", box=None)
    for label, found in (("used items", measured.preference), ("pages won", measured.by_pages)):
        if found is not None:
            preferences.add_row(f"{label} of {arm}", *format_preference(found))
    if preferences.row_count:
        out.print(preferences)


def format_preference(found: Preference) -> tuple[str, str, str, str]:
    return (
        f"{found.value:.1%}",
        f"{found.any_low:.1%} to {found.any_high:.1%}",
        f"{found.low:.1%} to {found.high:.1%}",
        f"{found.p_value:.3g}",
    )


def print_arms(measured: ExperimentReport) -> None:
    """Prints the split and one row for each measure and arm."""
    split = ", ".join(f"{one.arm} {one.viewers:,} (meant {one.share:.0%})" for one in measured.arms)
    print_plain(f"viewers: {split}; p of the split {measured.ratio_p:.3g}")
    if measured.is_mis_split:
        out.print("the split is not what was defined: do not read the effects", style="bold red")
    if measured.crossed:
        print_plain(f"{measured.crossed:,} viewers had pages of two arms and are left out")
    print_effects(measured.effects)
    if measured.segments:
        print_plain("segments (exploratory: one of many is large by chance)")
        print_effects(measured.segments)


def print_effects(effects: tuple[MetricEffect, ...]) -> None:
    table = Table("measure", "arm", Column("control", justify="right"), box=None)
    for heading in ("lift", "at any look", "once, at the end", "p", "q"):
        table.add_column(heading, justify="right")
    for one in effects:
        pattern = METRICS[one.metric].pattern
        label = f"{one.title} ({one.segment})" if one.segment else one.title
        table.add_row(
            label,
            one.arm,
            pattern.format(one.control),
            format_lift(one.lift),
            f"{format_lift(one.any_low)} to {format_lift(one.any_high)}",
            f"{format_lift(one.low)} to {format_lift(one.high)}",
            f"{one.p_value:.3g}",
            f"{one.q_value:.3g}",
        )
    out.print(table)


def format_lift(lift: float | None) -> str:
    return "?" if lift is None else f"{lift:+.1%}"
