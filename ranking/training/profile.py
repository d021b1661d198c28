"""What is recorded of a training run: the manifest of its model, and what it learned from as counts and
histograms, which the gate compares with later requests."""

from collections.abc import Mapping, Sequence

from reelrank.index_mappings.encoder import ENCODER_NAME
from reelrank.index_mappings.mapping import compute_index_fingerprint
from reelrank.ranking.drift.histograms import Profile, count_features
from reelrank.ranking.evaluation.comparison import MODEL, Evaluation
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.context import HASH_BUCKETS, HASH_SEEDS
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.rankers.manifest import Manifest
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import TrainingResult


def build_profile(
    rows: TrainingSet, names: Sequence[str], source: str, gains: Mapping[str, float]
) -> Profile:
    """Returns the profile of a training set.

    source: what the rows are, in words. gains: split gain of each feature. Rows count by their weights, as
    often as there were candidates.
    """
    return Profile(
        count_features(rows.features, names, rows.get_row_weights()),
        rows=len(rows.gains),
        requests=len(rows.groups),
        answered=int(rows.find_answered().sum()),
        source=source,
        gains=dict(gains),
    )


def build_manifest(
    trained: TrainingResult, evaluation: Evaluation, embeddings: str, data_window: tuple[int, int]
) -> Manifest:
    """Builds the manifest of a LambdaRank model of this build.

    embeddings: fingerprint of those that are published with it. data_window: see `Manifest`.
    """
    systems = [name for name in evaluation.list_systems() if name != MODEL]
    return Manifest(
        features=FEATURE_NAMES,
        hash_seeds=HASH_SEEDS,
        hash_buckets=dict.fromkeys(HASH_SEEDS, HASH_BUCKETS),
        feature_fingerprint=compute_feature_fingerprint(FEATURE_NAMES),
        encoder=ENCODER_NAME,
        index_fingerprint=compute_index_fingerprint(),
        embeddings_fingerprint=embeddings,
        data_window=data_window,
        metrics=evaluation.collect_metrics(MODEL),
        baselines={system: evaluation.collect_metrics(system) for system in systems},
        gains=trained.gains,
        params=trained.params,
        calibration=trained.calibration,
    )
