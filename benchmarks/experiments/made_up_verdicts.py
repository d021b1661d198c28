"""Four made-up experiments whose truth is known, from the lake to the verdict, in seconds."""

import tempfile
from collections.abc import Mapping
from datetime import timedelta

from benchmarks.experiments.made_up_lake import EXPERIMENT, START, MadeUpExperiment, write_lake
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.logged.experiment_log import read_experiment_log
from reelrank.loaders.logged.experiment_pages import LogSpan
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.measurement.analysis import ReportTimes, build_report
from reelrank.ranking.experiments.measurement.report import Verdict

DAYS = 2
CASES: Mapping[str, tuple[MadeUpExperiment, Verdict]] = {
    "alike": (MadeUpExperiment(800, DAYS, 1), Verdict.NO_DIFFERENCE),
    "good": (MadeUpExperiment(800, DAYS, 1, effect=0.5), Verdict.BETTER),
    "harmful": (MadeUpExperiment(800, DAYS, 1, effect=-0.5), Verdict.HARMFUL),
    "mis-split": (MadeUpExperiment(800, DAYS, 1, share=0.35), Verdict.MIS_SPLIT),
}
"""Each defined as halves. The effect is on plays; the share is that of the log."""
DEFINITION = {
    "name": EXPERIMENT,
    "hypothesis": "Viewers play more of what they see.",
    "arms": [{"name": "control", "share": 0.5}, {"name": "treatment", "share": 0.5}],
    "primary": "ctr",
    "planned_days": DAYS,
}


def find_verdict(made_up: MadeUpExperiment) -> tuple[Verdict, str]:
    """Writes the lake of an experiment, measures it, and returns the verdict with its sentence."""
    definition = ExperimentDefinition.model_validate(DEFINITION)
    experiment = Experiment(definition=definition, created_at=START, started_at=START)
    end = START + timedelta(days=made_up.days)
    span = LogSpan(EXPERIMENT, START, end, end + timedelta(days=1), ("control", "treatment"))
    with tempfile.TemporaryDirectory(prefix="reelrank-bench-") as directory:
        storage = LakeStorage(directory)
        write_lake(storage, made_up)
        log = read_experiment_log(Lake(storage), span)
    report = build_report(experiment, log, ReportTimes(START, end, span.known_until))
    return report.verdicts[0].verdict, report.verdicts[0].sentence
