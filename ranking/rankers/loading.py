"""Loads the model of a registry directory, once everything about it fits this build."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from reelrank.ranking.rankers.compiled_trees import open_compiled_trees
from reelrank.ranking.rankers.golden_rows import (
    GOLDEN_FILE,
    POINTWISE_SCORE,
    SCORE,
    GoldenRows,
    generate_rows,
    read_golden,
)
from reelrank.ranking.rankers.lambdarank import LambdaRank, Ranker
from reelrank.ranking.rankers.manifest import (
    MODEL_FILE,
    POINTWISE_FILE,
    InvalidModel,
    Manifest,
    ModelRejected,
    read_manifest,
)
from reelrank.ranking.rankers.model_check import compute_scores_in_child, read_valid_model

log = logging.getLogger(__name__)
RETRAIN = "train a new model with this build, or serve the build that made this one"
REREGISTER = "register it again from its source"
MISMATCH_CODES = {
    "feature fingerprint": "feature_fingerprint_mismatch",
    "text encoder": "encoder_mismatch",
    "index fingerprint": "index_fingerprint_mismatch",
}


def load_ranker(
    directory: Path,
    known_features: Sequence[str],
    compute_fingerprint: Callable[[Sequence[str]], str],
    expected_encoder: str | None = None,
    expected_index: str | None = None,
) -> Ranker:
    """Loads the model of a registry directory, once everything about it fits this build.

    compute_fingerprint: returns this build's fingerprint of some features. Raises ModelRejected.
    """
    manifest = _load_manifest(directory)
    check_features(manifest, known_features)
    _check_fingerprints(
        manifest,
        {
            "feature fingerprint": (manifest.feature_fingerprint, compute_fingerprint(manifest.features)),
            "text encoder": (manifest.encoder, expected_encoder),
            "index fingerprint": (manifest.index_fingerprint, expected_index),
        },
    )
    ranker = _load_model(directory, manifest)
    _check_golden_rows(ranker, directory, _load_golden(directory, manifest))
    ranker.pointwise = _load_pointwise(directory, manifest)
    return ranker


def check_features(manifest: Manifest, known_features: Sequence[str]) -> None:
    """Raises ModelRejected when the model reads a feature that this build does not compute."""
    unknown = [name for name in manifest.features if name not in set(known_features)]
    if unknown:
        raise ModelRejected(
            manifest.id,
            f"this build does not know its features {', '.join(unknown)}",
            RETRAIN,
            code="unknown_features",
        )


def hash_model(model_text: str) -> str:
    return hashlib.sha256(model_text.encode()).hexdigest()


def _check_fingerprints(manifest: Manifest, fingerprints: Mapping[str, tuple[str, str | None]]) -> None:
    """Raises ModelRejected when one differs. fingerprints: by name, the model's and this build's."""
    for name, (model_has, build_has) in fingerprints.items():
        if model_has and build_has is not None and model_has != build_has:
            reason = f"its {name} is {model_has}, this build's is {build_has}"
            raise ModelRejected(manifest.id, reason, RETRAIN, code=MISMATCH_CODES[name])
    if manifest.kind == "lambdarank" and not manifest.feature_fingerprint:
        raise ModelRejected(
            manifest.id,
            "its manifest states no feature fingerprint",
            RETRAIN,
            code="feature_fingerprint_missing",
        )


def _load_manifest(directory: Path) -> Manifest:
    try:
        manifest = read_manifest(directory)
    except (OSError, ValueError) as error:
        raise ModelRejected(
            directory.name, f"no valid manifest ({error})", REREGISTER, code="invalid_manifest"
        ) from error
    if manifest.id != directory.name:
        raise ModelRejected(
            directory.name, f"its manifest is that of {manifest.id!r}", REREGISTER, code="invalid_manifest"
        )
    return manifest


def _load_model(directory: Path, manifest: Manifest) -> LambdaRank:
    """Loads the model file of a directory. Raises ModelRejected.

    The registry has checked the file with the manifest's SHA-256; another file is checked here first.
    """
    try:
        text = _read_model(directory / MODEL_FILE, manifest.model_sha256)
        header = read_valid_model(text, len(manifest.features))
        if not manifest.model_sha256:
            lows, highs = np.array(header.bounds, np.float64).T
            compute_scores_in_child(text, generate_rows(lows, highs))
        ranker = LambdaRank(manifest.id, manifest.features, text)
    except (OSError, ValueError) as error:
        code = getattr(error, "code", "model_file_damaged")
        raise ModelRejected(manifest.id, str(error), REREGISTER, code) from error
    ranker.calibration = manifest.calibration
    ranker.embeddings_fingerprint = manifest.embeddings_fingerprint
    ranker.ranks_cold_start = manifest.cold_start is not None and manifest.cold_start.is_by_model
    return ranker


def _read_model(path: Path, digest: str) -> str:
    """Returns the text of a model file. Raises InvalidModel when `digest` is known and another one."""
    text = path.read_text(encoding="utf-8")
    if digest and hash_model(text) != digest:
        reason = f"{path.name} is not the file that was registered (SHA-256 differs)"
        raise InvalidModel(reason, "model_file_changed")
    return text


def _load_pointwise(directory: Path, manifest: Manifest) -> LambdaRank | None:
    """Loads the pointwise model that the manifest names; None without. Raises ModelRejected."""
    known = manifest.pointwise
    if known is None:
        return None
    try:
        text = _read_model(directory / POINTWISE_FILE, known.model_sha256)
        pointwise = LambdaRank(manifest.id, manifest.features, text)
    except (OSError, ValueError) as error:
        code = getattr(error, "code", "model_file_damaged")
        raise ModelRejected(manifest.id, str(error), REREGISTER, code) from error
    pointwise.calibration = known.calibration
    golden = _load_golden(directory, manifest, POINTWISE_SCORE)
    _check_golden_rows(pointwise, directory, golden, POINTWISE_FILE)
    return pointwise


def _load_golden(directory: Path, manifest: Manifest, column: str = SCORE) -> GoldenRows | None:
    """Reads the golden rows of a model. Raises ModelRejected.

    An external model put in place by hand may lack golden rows; nothing else may.
    """
    if manifest.kind == "external" and not (directory / GOLDEN_FILE).exists():
        return None
    try:
        golden = read_golden(directory, column)
        if golden.features.shape[1] != len(manifest.features):
            raise ValueError(f"{golden.features.shape[1]} columns for {len(manifest.features)} features")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelRejected(
            manifest.id, f"no valid golden rows ({error})", REREGISTER, code="invalid_golden_rows"
        ) from error
    return golden


def _check_golden_rows(
    ranker: LambdaRank, directory: Path, golden: GoldenRows | None, model_file: str = MODEL_FILE
) -> None:
    """Lets the faster form of the trees score. Raises ModelRejected when golden rows score differently."""
    if golden is None:
        return
    if mismatch := golden.find_mismatch(ranker.score(golden.features)):
        raise ModelRejected(
            ranker.name,
            f"{model_file}: {mismatch}" if model_file != MODEL_FILE else mismatch,
            "install the LightGBM version it was trained with, or retrain",
            code="golden_rows_mismatch",
        )
    _use_compiled_trees(ranker, directory, golden, model_file)


def _use_compiled_trees(ranker: LambdaRank, directory: Path, golden: GoldenRows, model_file: str) -> None:
    """Lets the faster form of the trees score, unless a golden row then has another score."""
    ranker.compiled_trees = trees = open_compiled_trees(directory, model_file)
    if trees is None:
        return
    finite = ~np.isinf(golden.features).any(axis=1)
    for rows in (finite, ~finite):
        part = GoldenRows(golden.features[rows], golden.scores[rows])
        if mismatch := part.find_mismatch(ranker.score(part.features)):
            log.warning("%s: LightGBM scores in place of %s: %s", directory.name, trees.name, mismatch)
            ranker.compiled_trees = None
            return
