"""Plots show the measured values, and equal evaluations give equal files."""

from pathlib import Path

import pytest

from reelrank.ranking.evaluation.comparison import MEASURES, Evaluation, MetricResult
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.plots import SYSTEM_LABELS, write_gains_plot, write_quality_plot

SYSTEMS = ("popularity", "bm25", "text_knn", "factors", "neighbours", "session", "fused", "lambdarank")


def build_evaluation() -> Evaluation:
    results = tuple(
        MetricResult("all", system, measure, Interval(0.05 + row / 25, 0.03 + row / 25, 0.07 + row / 25))
        for row, system in enumerate(SYSTEMS)
        for measure in MEASURES[:4]
    )
    gap = MetricResult("all", "lambdarank - fused", "ndcg@10", Interval(0.04, 0.031, 0.048))
    return Evaluation("lambdarank-1", {"all": 2000}, results, (gap,))


def test_a_quality_plot_names_every_system(tmp_path: Path) -> None:
    svg, png = write_quality_plot(build_evaluation(), tmp_path / "reports" / "quality")
    text = svg.read_text()
    assert all(SYSTEM_LABELS.get(system, system) in text for system in SYSTEMS)
    assert "2,000 requests after the training period (all)" in text
    assert png.read_bytes().startswith(b"\x89PNG")


def test_a_narrow_quality_plot_fits_a_phone_at_full_size(tmp_path: Path) -> None:
    svg, _ = write_quality_plot(build_evaluation(), tmp_path / "quality-narrow", is_narrow=True)
    assert 'viewBox="0 0 360 ' in svg.read_text()


def test_equal_evaluations_give_equal_plots(tmp_path: Path) -> None:
    first, _ = write_quality_plot(build_evaluation(), tmp_path / "a")
    second, _ = write_quality_plot(build_evaluation(), tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_a_gains_plot_shows_the_first_25(tmp_path: Path) -> None:
    svg, _ = write_gains_plot({f"feature_{i:02}": float(i) for i in range(40)}, tmp_path / "gains")
    text = svg.read_text()
    assert "feature_39" in text
    assert "feature_14" not in text


def test_a_plot_of_a_kind_without_requests_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no requests of kind 'search' were evaluated"):
        write_quality_plot(build_evaluation(), tmp_path / "quality", "search")
