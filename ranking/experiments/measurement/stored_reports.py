"""Reports of experiments on the disk: written by the command, read by the operator pages."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from reelrank.ranking.durable import write_file
from reelrank.ranking.experiments.measurement.interleaving import InterleavingReport
from reelrank.ranking.experiments.measurement.report import ExperimentReport

Report = ExperimentReport | InterleavingReport
"""What is measured of an experiment: viewers with one arm each, or interleaved pages."""
REPORTS: TypeAdapter[Report] = TypeAdapter(Report)

REPORT_FOLDER = "experiments"
"""In the directory of reports: one JSON file for each experiment."""


def write_report(reports_dir: Path, report: Report) -> None:
    path = reports_dir / REPORT_FOLDER / f"{report.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, report.model_dump_json(indent=2) + "\n")


def read_report(reports_dir: Path, name: str) -> Report | None:
    """Returns the last report of an experiment; None without one, or for one of another build."""
    try:
        path = reports_dir / REPORT_FOLDER / f"{name}.json"
        return REPORTS.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
