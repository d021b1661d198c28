"""Trains the models of one release: LambdaRank, and beside it a pointwise model where the two are blended."""

from dataclasses import dataclass

from reelrank.app.compute.backend import Compute
from reelrank.app.compute.parameter_choice import train_with_chosen_params
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.rankers.manifest import PointwiseModel
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import TrainingResult
from reelrank.ranking.training.pointwise import build_pointwise_params, train_pointwise
from reelrank.ranking.training.resampling import Handling, handle_imbalance


@dataclass(frozen=True, slots=True)
class TrainedModels:
    """order: LambdaRank. pointwise: a model of the probability on the same rows; None where none is asked
    for, or where LambdaRank has no calibration to blend it by."""

    order: TrainingResult
    pointwise: LambdaRank | None = None

    def build_ranker(self, name: str) -> LambdaRank:
        """Returns a ranker that can be blended."""
        ranker = LambdaRank(name, FEATURE_NAMES, self.order.model_text)
        ranker.calibration, ranker.pointwise = self.order.calibration, self.pointwise
        return ranker

    @property
    def pointwise_text(self) -> str:
        """Returns the pointwise model in LightGBM's text format; empty without one."""
        return "" if self.pointwise is None else str(self.pointwise.booster.model_to_string())

    def describe_pointwise(self) -> PointwiseModel | None:
        """Returns what the manifest says of the pointwise model."""
        if self.pointwise is None or self.pointwise.calibration is None:
            return None
        params = build_pointwise_params(FEATURE_NAMES)
        return PointwiseModel(calibration=self.pointwise.calibration, params=params)


def train_models(
    compute: Compute, rows: TrainingSet, budget_s: float, is_blended: bool, progress: Progress
) -> TrainedModels:
    """Trains LambdaRank with chosen parameters and, if they are blended, a pointwise model on this machine.

    budget_s: CPU seconds in which parameters are chosen; 0 takes the defaults.
    """
    order = train_with_chosen_params(compute, rows, budget_s, progress)
    if not is_blended or order.calibration is None:
        return TrainedModels(order)
    fitted, held_out = rows.split()
    handled = handle_imbalance(fitted, Handling.NOTHING)
    return TrainedModels(order, train_pointwise(handled, held_out, FEATURE_NAMES, progress))
