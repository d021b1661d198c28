"""The label lab: one backtest graded by every label, and the table of what each ranker learned."""

import numpy as np
import pytest

from reelrank.app.cli.lab.label_table import build_document, print_report
from reelrank.app.jobs.lab.labels import build_labelled_sets, measure_labels, regrade
from reelrank.index_mappings.event import Event
from reelrank.ranking.labels.grades import Grader, Label
from reelrank.ranking.training.dataset import build_training_set
from tests.unit.app.jobs.lab_window import build_window

NAMES = ("useful", "unknown", "fixed", "people_hashed")
GRADERS = {label: Grader(label) for label in Label}


def build_events(user: str, items: list[str], share: float) -> list[Event]:
    watched = round(share * 6_000_000)
    return [Event(f"{user}-{item}", "watch", user, 1000, item, watched, 6_000_000) for item in items]


def test_the_same_plays_are_graded_by_each_label() -> None:
    (judged,) = build_window(1, NAMES).judged
    item = judged.relevant[0].decode()
    events = build_events("u0", [item, "other"], 0.5)
    grades = {label: regrade(judged, events, grader).gains.tolist() for label, grader in GRADERS.items()}
    assert grades[Label.WATCHED_SHARE] == [2.0]
    assert grades[Label.COMPLETION] == [1.0]
    assert grades[Label.PLAYED] == [1.0]


def test_all_labels_have_the_rows_of_one_training_set() -> None:
    judged = build_window(30, NAMES).judged
    items = [f"film{n:02}" for n in range(20)]
    sets = build_labelled_sets(judged, GRADERS, {"u0": build_events("u0", items, 0.8)})
    expected = build_training_set(judged)
    for training in sets.values():
        assert np.array_equal(training.features, expected.features, equal_nan=True)
        assert np.array_equal(training.gains > 0, expected.gains > 0)
    assert set(sets[Label.WATCHED_SHARE].gains.tolist()) == {0, 3}


@pytest.mark.slow
def test_rankers_are_compared_with_that_of_the_watched_share(capsys: pytest.CaptureFixture[str]) -> None:
    window = build_window(80, NAMES, viewers=20)
    report = measure_labels(dict.fromkeys(Label, window.training), window.judged, NAMES)
    assert (report.training_requests, report.judged_requests, report.viewers) == (80, 80, 20)
    same = [row.measures.compare(report.baseline.measures, "ndcg@10") for row in report.rows]
    assert {interval.mean for interval in same} == {0.0}
    print_report(report, wide=True)
    assert "duration_corrected" in capsys.readouterr().out
    assert len(build_document(report)["rows"]) == len(Label)  # type: ignore[arg-type]
