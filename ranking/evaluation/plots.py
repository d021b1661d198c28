"""Plots of an evaluation and of a model's feature importance, as SVG and PNG. No display is needed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from reelrank.ranking.durable import replace_file
from reelrank.ranking.evaluation.comparison import ALL_KINDS, FUSED, MODEL, POPULARITY, Evaluation
from reelrank.ranking.evaluation.half_life import HalfLifeChoice
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.served.reliability import Reliability

if TYPE_CHECKING:  # importing matplotlib takes half a second, and only reports need it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL_COLOUR, FUSED_COLOUR, OTHER_COLOUR = "#0072B2", "#D55E00", "#595959"
"""Blue and vermilion of Okabe & Ito 2008 are distinct for colour-blind readers; markers differ too."""

MEASURE_TITLES = {
    "ndcg@10": "NDCG@10",
    "precision@10": "precision@10",
    "recall@100": "recall@100",
    "pairwise_loss": "pairwise loss (lower is better)",
}
SYSTEM_LABELS = {
    POPULARITY: "popularity of candidates",
    FUSED: "rank fusion (no model)",
    MODEL: "LambdaRank model",
}
"""The other systems are candidate sources, labelled with their names."""
MAX_GAINS = 25
"""As many bars as fit on a page with readable labels."""
PNG_DPI = 150
NARROW_WIDTH, NARROW_LETTERS = 5.0, 52
"""Inches, and letters of a title's line: 360 points, the width of a phone's text, so that labels keep their
size there."""
PANEL_WIDTH = 2.6
"""Inches: six panels and the names of the rows fit a page that is read on a screen."""


def write_quality_plot(
    evaluation: Evaluation, path: Path, kind: str = ALL_KINDS, is_narrow: bool = False
) -> tuple[Path, Path]:
    """Plots the measures of MEASURE_TITLES of every system with 95 % intervals; path has no suffix.

    is_narrow: for a phone, with the measures below each other. Raises ValueError when no request of this kind
    was evaluated.
    """
    systems = evaluation.list_systems(kind)
    if not systems:
        raise ValueError(
            f"no requests of kind {kind!r} were evaluated; choose one of {', '.join(evaluation.requests)}"
        )
    height = 1.6 + 0.36 * len(systems)
    if is_narrow:
        figure = _create_figure(width=NARROW_WIDTH, height=len(MEASURE_TITLES) * height)
        axes = figure.subplots(len(MEASURE_TITLES), 1, sharey=True)
    else:
        figure = _create_figure(width=13.0, height=height)
        axes = figure.subplots(1, len(MEASURE_TITLES), sharey=True)
    for ax, (measure, title) in zip(axes, MEASURE_TITLES.items(), strict=True):
        for row, system in enumerate(systems):
            measured = evaluation.collect_metrics(system, kind).get(measure)
            if measured is not None:
                _draw_interval(ax, row, system, measured.model_dump())
        ax.set_title(title, loc="left", fontsize=11)
        ax.set_xlim(left=0)
        _style_axes(ax)
    axes[0].set_yticks(range(len(systems)), [SYSTEM_LABELS.get(system, system) for system in systems])
    axes[0].invert_yaxis()
    _set_title(figure, _describe_quality(evaluation, kind), is_narrow)
    return _save(figure, path)


def _describe_quality(evaluation: Evaluation, kind: str) -> str:
    gap = evaluation.find_difference(kind)
    return (
        f"{evaluation.requests[kind]:,} requests after the training period ({kind}), mean and 95 % interval. "
        f"NDCG@10, LambdaRank minus rank fusion: {gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
    )


def write_gains_plot(gains: Mapping[str, float], path: Path) -> tuple[Path, Path]:
    """Plots the MAX_GAINS features with the largest share of the total split gain; path has no suffix."""
    total = sum(gains.values()) or 1.0
    top = sorted(gains.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_GAINS]
    figure = _create_figure(width=NARROW_WIDTH, height=1.4 + 0.27 * max(len(top), 1))
    ax = figure.subplots()
    shares = [100 * gain / total for _, gain in top]
    ax.barh(range(len(top)), shares, color=MODEL_COLOUR, height=0.7)
    for row, share in enumerate(shares):
        ax.annotate(f"{share:.1f}", (share, row), (3, 0), textcoords="offset points", va="center", fontsize=8)
    ax.set_yticks(range(len(top)), [name for name, _ in top])
    ax.invert_yaxis()
    ax.margins(x=0.1, y=0.01)
    _style_axes(ax)
    _set_title(
        figure,
        f"Feature importance: share of the total split gain in %, top {len(top)} of {len(gains)} features",
        is_narrow=True,
    )
    return _save(figure, path)


def write_reliability_plot(reliability: Sequence[Reliability], path: Path) -> tuple[Path, Path]:
    """Plots the share watched by the stated probability, a panel for each slice; path has no suffix.

    Below the diagonal more was stated than was watched. Raises ValueError without slices.
    """
    if not reliability:
        raise ValueError("there are no probabilities to plot")
    figure = _create_figure(max(PANEL_WIDTH * len(reliability), NARROW_WIDTH), 3.4)
    for ax, of_slice in zip(figure.subplots(1, len(reliability), squeeze=False)[0], reliability, strict=True):
        end = max(max(part.stated, part.observed) for part in of_slice.curve) * 1.05 or 1.0
        ax.plot([0, end], [0, end], color="#bbbbbb", linewidth=1)
        points = [(part.stated, part.observed) for part in of_slice.curve]
        ax.plot(*zip(*points, strict=True), "o-", color=MODEL_COLOUR, markersize=5)
        nce = "" if of_slice.nce is None else f"\nNCE {of_slice.nce.mean:.3f}"
        ax.set_title(f"{of_slice.surface}{nce}", loc="left", fontsize=10)
        ax.set_xlabel("stated", fontsize=8)
        ax.tick_params(labelsize=8)
        _style_axes(ax)
    figure.suptitle("Share watched by the stated probability", fontsize=11, x=0.01, ha="left")
    return _save(figure, path)


def write_half_life_plot(choice: HalfLifeChoice, path: Path) -> tuple[Path, Path]:
    """Plots NDCG@10 of popularity alone by half-life, with 95 % intervals; path has no suffix."""
    figure = _create_figure(width=7.0, height=3.4)
    ax = figure.subplots()
    days, intervals = list(choice.curve), list(choice.curve.values())
    positions = range(len(days))
    ax.vlines(
        positions, [i.low for i in intervals], [i.high for i in intervals], color=OTHER_COLOUR, linewidth=2.5
    )
    ax.plot(positions, [i.mean for i in intervals], "o-", color=OTHER_COLOUR, markersize=7)
    if choice.days in choice.curve:
        ax.plot(
            days.index(choice.days), choice.curve[choice.days].mean, "D", color=MODEL_COLOUR, markersize=9
        )
    ax.set_xticks(positions, [f"{half_life:,} days" if half_life > 1 else "1 day" for half_life in days])
    ax.set_ylim(bottom=0)
    ax.set_title(
        f"NDCG@10 of popularity alone, by half-life; {choice.days:,} days serve", loc="left", fontsize=11
    )
    _style_axes(ax)
    return _save(figure, path)


def write_measures_plot(
    rows: Mapping[str, Mapping[str, Interval]], title: str, path: Path
) -> tuple[Path, Path]:
    """Plots the measures of each row with intervals, a panel for each measure; path has no suffix.

    The first row is what the others are compared with: a line marks its mean. Raises ValueError without rows.
    """
    if not rows:
        raise ValueError("there are no rows to plot")
    names, measures = list(rows), list(next(iter(rows.values())))
    figure = _create_figure(3.0 + PANEL_WIDTH * len(measures), 1.4 + 0.34 * len(names))
    axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for ax, measure in zip(axes, measures, strict=True):
        ax.axvline(rows[names[0]][measure].mean, color="#bbbbbb", linewidth=1)
        for row, name in enumerate(names):
            interval, colour = rows[name][measure], MODEL_COLOUR if row == 0 else OTHER_COLOUR
            ax.hlines(row, interval.low, interval.high, color=colour, linewidth=2.5)
            ax.plot(interval.mean, row, "o", color=colour, markersize=6)
        ax.set_title(measure, loc="left", fontsize=11)
        ax.tick_params(axis="x", labelsize=8)
        _style_axes(ax)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    return _save(figure, path)


def _set_title(figure: "Figure", title: str, is_narrow: bool) -> None:
    lines = wrap(title, NARROW_LETTERS) if is_narrow else [title]
    figure.suptitle("\n".join(lines), fontsize=11, x=0.01, ha="left")


def _draw_interval(ax: "Axes", row: int, system: str, metric: Mapping[str, float]) -> None:
    colour, marker = {MODEL: (MODEL_COLOUR, "D"), FUSED: (FUSED_COLOUR, "s")}.get(system, (OTHER_COLOUR, "o"))
    ax.hlines(row, metric["low"], metric["high"], color=colour, linewidth=2.5)
    ax.plot(metric["value"], row, marker, color=colour, markersize=7, clip_on=False)
    label, point = f"{metric['value']:.3f}", (metric["value"], row)
    ax.annotate(label, point, (0, 6), textcoords="offset points", ha="center", fontsize=8, color=colour)


def _create_figure(width: float, height: float) -> "Figure":
    """Returns an empty figure of this size in inches; no display is needed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _style_axes(ax: "Axes") -> None:
    """Removes the frame and adds a light grid along x."""
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="#dddddd", linewidth=0.8)
    ax.set_axisbelow(True)


def _save(figure: "Figure", path: Path) -> tuple[Path, Path]:
    """Writes both files. Equal evaluations give equal bytes: SVG without date and with fixed element ids."""
    import matplotlib as mpl

    svg, png = path.with_name(path.name + ".svg"), path.with_name(path.name + ".png")
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "reelrank"}), replace_file(svg) as temporary:
        figure.savefig(temporary, metadata={"Date": None}, facecolor="white")
    with replace_file(png) as temporary:
        figure.savefig(temporary, dpi=PNG_DPI, facecolor="white")
    return svg, png
