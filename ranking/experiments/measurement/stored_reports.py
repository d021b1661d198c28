"""Reports of experiments on the disk: written by the command, read by the operator pages."""

from pathlib import Path

from pydantic import ValidationError

from reelrank.ranking.durable import write_file
from reelrank.ranking.experiments.measurement.report import ExperimentReport

REPORT_FOLDER = "experiments"
"""In the directory of reports: one JSON file for each experiment."""


def write_report(reports_dir: Path, report: ExperimentReport) -> None:
    path = reports_dir / REPORT_FOLDER / f"{report.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, report.model_dump_json(indent=2) + "\n")


def read_report(reports_dir: Path, name: str) -> ExperimentReport | None:
    """Returns the last report of an experiment; None without one, or for one of another build."""
    try:
        path = reports_dir / REPORT_FOLDER / f"{name}.json"
        return ExperimentReport.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
