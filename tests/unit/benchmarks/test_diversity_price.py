"""The benchmark of diversity: its table, its curve, and the order that it measures."""

from pathlib import Path

from benchmarks.diversity import VALUES, DiversityPrice, format_prices, write_curve
from reelrank.ranking.evaluation.intervals import Interval

PRICES = [
    DiversityPrice(value, Interval(0.2 - value / 9, 0.1, 0.3), Interval(-value / 9, -0.1, 0.0), 0.35)
    for value in VALUES
]


def test_the_table_has_a_row_for_each_value() -> None:
    head, _, *rows = format_prices(PRICES).splitlines()
    assert head.count("|") == 5
    assert [float(row.split("|")[1]) for row in rows] == list(VALUES)


def test_the_curve_is_a_picture_that_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        write_curve(PRICES, tmp_path / name)
    one, two = ((tmp_path / name).read_bytes() for name in ("one.svg", "two.svg"))
    assert b"</svg>" in one
    assert one == two
