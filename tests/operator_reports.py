"""Made-up reports that the operator pages show: drift, quality, exploration, sources and loads."""

from datetime import date
from pathlib import Path

import numpy as np

from reelrank.app.settings import Settings
from reelrank.loaders.load_history import LoadRecord, append_load
from reelrank.loaders.report import FileReport
from reelrank.ranking.drift.histograms import Profile, count_column, count_features
from reelrank.ranking.drift.kept_report import KeptDrift, write_drift
from reelrank.ranking.drift.report import DriftReport, Kind, compare_kinds
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.served.days import ServedDay, ServedDays, write_days
from reelrank.ranking.evaluation.served.measure import ServedQuality
from reelrank.ranking.evaluation.served.slot_cost import SlotCost
from reelrank.ranking.evaluation.served.sources import SourceShare, SourceShares, write_sources
from tests.unit.app.loop.made_up_work import NOW

FEATURES = [f"feature <{n}>" for n in range(8)]
SLOTS = SlotCost(80, Interval(31, 25, 38), Interval(40, 36, 44), Interval(9, 3, 15))


def write_reports(settings: Settings) -> None:
    """Writes one report of each kind into a project."""
    write_drift(settings.reports_dir, KeptDrift(NOW, "release-1", (NOW, NOW), (NOW, NOW), build_drift()))
    write_exploration(settings.reports_dir)
    shares = SourceShares(NOW, 24.0, 900, 180, (SourceShare("factors", 450, 30, 99, 3),))
    write_sources(settings.reports_dir, shares)
    record = LoadRecord(at=NOW, kind="items", files=("films.csv",))
    append_load(settings.loads_dir, record.add_report(FileReport(10, 8, 2, 8, 1.5, "items-1")))
    append_load(settings.loads_dir, record.model_copy(update={"problem": "too_many_rejects"}))


def build_drift() -> DriftReport:
    """Eight features, of which the first drifted, and vectors that the release all knows."""
    rng = np.random.default_rng(0)
    before, later = rng.normal(size=(5000, 8)), rng.normal(size=(5000, 8))
    later[:, 0] += 0.5
    profiles = [Profile(count_features(part.astype(np.float32), FEATURES)) for part in (before, later)]
    known = Profile({"has a learned vector": count_column(np.ones(100, np.float32))})
    kinds = {Kind.FEATURES: (profiles[0], profiles[1]), Kind.EMBEDDINGS: (known, known)}
    return compare_kinds(kinds, (5000.0, 5000.0), embeddings_age_h=200.0)


def write_exploration(reports_dir: Path) -> None:
    """Two days with pages, and exploration slots that earned half as much."""
    measures = {"ctr": Interval(0.2, 0.1, 0.3), "ndcg@10": Interval(0.5, 0.4, 0.6)}
    whole = ServedQuality("all", 90, 9, 9, 900, 1.0, measures)
    explored = ServedQuality("explored slots", 80, 8, 8, 80, 1.0, {"ctr": Interval(0.1, 0.05, 0.2)})
    days = tuple(ServedDay(date(2026, 1, n), 45, 9, 450, measures) for n in (1, 2))
    write_days(reports_dir, ServedDays(NOW, False, days, whole, explored, SLOTS))
