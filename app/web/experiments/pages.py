"""The operator pages of experiments: the list, one experiment, and its report as one file to share."""

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, render_template

from reelrank.app.web.experiments.plots import ForestPlot, build_day_charts, build_forest, draw_preference
from reelrank.app.web.ops.charts import LineChart
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.measurement.interleaving import InterleavingReport
from reelrank.ranking.experiments.measurement.metrics import METRICS
from reelrank.ranking.experiments.measurement.stored_reports import Report, read_report
from reelrank.ranking.experiments.store import FileExperiments


@dataclass(frozen=True, slots=True)
class ExperimentView:
    """An experiment with its last report, and the pictures of it; None and empty before the first."""

    experiment: Experiment
    report: Report | None
    forest: ForestPlot | None = None
    days: tuple[LineChart, ...] = ()

    @property
    def verdict(self) -> str:
        """Returns the first verdict in words; empty before the first report."""
        found = self.report.verdicts if self.report else ()
        return f"{found[0].verdict}: {found[0].sentence}" if found else ""


def build_view(experiment: Experiment, report: Report | None) -> ExperimentView:
    """Draws a report. Effects of a mis-split experiment are not drawn: they would be read."""
    if report is None or report.is_mis_split:
        return ExperimentView(experiment, report)
    if isinstance(report, InterleavingReport):
        chart = draw_preference(report)
        return ExperimentView(experiment, report, days=() if chart is None else (chart,))
    title = f"{METRICS[report.primary].title}: lift by day"
    return ExperimentView(
        experiment, report, build_forest(report.effects), tuple(build_day_charts(report.by_day, title))
    )


def create_experiment_pages(experiments: FileExperiments, reports_dir: Path) -> Blueprint:
    blueprint = Blueprint("experiment_pages", __name__, template_folder="../templates")

    def render_list() -> str:
        """Renders verdicts without pictures."""
        views = [
            ExperimentView(one, read_report(reports_dir, one.name)) for one in experiments.list_experiments()
        ]
        return render_template("ops_experiments.html", views=views)

    def render_one(name: str) -> str:
        experiment = experiments.find(name)
        view = build_view(experiment, read_report(reports_dir, name))
        return render_template("ops_experiment.html", view=view, metrics=METRICS)

    blueprint.add_url_rule("/ops/experiments", "experiments", render_list)
    blueprint.add_url_rule("/ops/experiments/<name>", "experiment", render_one)
    return blueprint
