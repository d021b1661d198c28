"""The tables and plots of `evaluate --as served`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from reelrank.app.cli.console import print_json, print_plain, show_progress_bars
from reelrank.app.cli.tables.layout import Grid, format_interval, print_grid
from reelrank.app.jobs.served.evaluation import ServedEvaluation, evaluate_served
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.ranking.evaluation.plots import write_measures_plot, write_reliability_plot
from reelrank.ranking.evaluation.served.measure import MEASURES, ServedQuality
from reelrank.ranking.evaluation.served.orders import ORDER_MEASURES, OrderQuality
from reelrank.ranking.evaluation.served.reliability import Reliability


def print_as_served(days: float, compared: int, wide: bool, as_json: bool) -> None:
    """Measures the pages of the last days, prints them, and plots them into the reports."""
    container = build_container(Settings())
    with show_progress_bars() as progress:
        evaluation = evaluate_served(container, days, progress, compared)
    paths = write_plots(evaluation, container.settings.reports_dir)
    if as_json:
        print_json(asdict(evaluation))
        return
    print_served(evaluation.qualities, wide)
    print_orders(evaluation, wide)
    print_reliability(evaluation.reliability, wide)
    if paths:
        print_plain(f"plots: {', '.join(map(str, paths))}")


def write_plots(evaluation: ServedEvaluation, directory: Path) -> list[Path]:
    """Writes served-orders (a file for each surface) and served-reliability, as SVG and PNG."""
    paths = list[Path]()
    for surface in dict.fromkeys(order.surface for order in evaluation.orders):
        rows = {o.system: o.measures for o in evaluation.orders if o.surface == surface}
        count = next(o.requests for o in evaluation.orders if o.surface == surface)
        title = f"{count:,} answered requests ({surface}), 95 % intervals by viewer"
        name = f"served-orders-{surface.replace(': ', '-')}"
        paths += write_measures_plot(rows, title, directory / name)
    if evaluation.reliability:
        paths += write_reliability_plot(evaluation.reliability, directory / "served-reliability")
    return paths


def print_served(qualities: Sequence[ServedQuality], wide: bool) -> None:
    """Prints what viewers saw and did: a row for each slice."""
    counts = [
        [q.surface, *(f"{n:,}" for n in (q.requests, q.answered, q.viewers, q.impressions)),
         f"{q.seen_known_share:.0%}"]
        for q in qualities
    ]  # fmt: skip
    header = ("pages", "requests", "answered", "viewers", "seen items", "known")
    print_grid(Grid(header, counts, title="Pages as served"), wide)
    rows = [
        [q.surface, *(format_interval(q.measures.get(name), wide) for name in MEASURES)] for q in qualities
    ]
    names = ("pages", "ctr", "watch s", *MEASURES[2:])
    print_grid(Grid(names, rows, cut=("pages",), title="By seen item, 95 % intervals by viewer"), wide)


def print_orders(evaluation: ServedEvaluation, wide: bool) -> None:
    """Prints other orders beside the served one, a table for each surface."""
    for reason, count in evaluation.left_out.items():
        print_plain(f"not compared: {count:,} answered requests {reason}")
    for surface in dict.fromkeys(order.surface for order in evaluation.orders):
        orders = [order for order in evaluation.orders if order.surface == surface]
        title = f"Orders for {orders[0].requests:,} answered requests ({surface}), 95 % intervals by viewer"
        header = ("order", *ORDER_MEASURES, "NDCG less served")
        print_grid(Grid(header, [_show_order(o, wide) for o in orders], cut=("order",), title=title), wide)


def print_reliability(reliability: Sequence[Reliability], wide: bool) -> None:
    """Prints the normalized cross entropy and the calibration of each slice with probabilities."""
    rows = [
        [
            r.surface,
            f"{r.items:,}",
            f"{r.watched:.4f}",
            f"{_mean_stated(r):.4f}",
            format_interval(r.nce, wide),
        ]
        for r in reliability
    ]
    if rows:
        header = ("pages", "seen items", "watched", "stated", "NCE")
        print_grid(Grid(header, rows, title="Stated probability of a watch, below 1 is better"), wide)


def _show_order(order: OrderQuality, wide: bool) -> list[str]:
    measures = (format_interval(order.measures[name], wide) for name in ORDER_MEASURES)
    return [order.system, *measures, format_interval(order.difference, wide)]


def _mean_stated(reliability: Reliability) -> float:
    return sum(part.items * part.stated for part in reliability.curve) / reliability.items
