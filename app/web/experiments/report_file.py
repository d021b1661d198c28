"""The report of an experiment as one HTML file, with its style and pictures inside, to share."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from reelrank.app.web.experiments.pages import build_view
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.measurement.metrics import METRICS
from reelrank.ranking.experiments.measurement.stored_reports import Report

TEMPLATES = Path(__file__).parents[1] / "templates"


def render_report_file(experiment: Experiment, report: Report) -> str:
    """Renders the same content as the operator page, without links to it."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    template = environment.get_template("experiment_report.html")
    return template.render(view=build_view(experiment, report), metrics=METRICS)
