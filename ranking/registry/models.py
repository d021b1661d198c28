"""The models on disk: <directory>/<id>/{manifest.json, model.txt, golden.parquet}.

The release pointer says which one serves. CURRENT and PREVIOUS are files of earlier builds, which had none.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.errors import CodedError, ModelNotFound, Unavailable
from reelrank.ranking.durable import create_directory
from reelrank.ranking.rankers.external import generate_golden_rows, read_external_model
from reelrank.ranking.rankers.golden_rows import GoldenRows, add_infinite_rows, sample_evenly, write_golden
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.rankers.loading import check_features, hash_model
from reelrank.ranking.rankers.manifest import (
    MODEL_FILE,
    POINTWISE_FILE,
    Manifest,
    MetricEstimate,
    ModelRejected,
    read_manifest,
    write_manifest,
)
from reelrank.ranking.rankers.model_check import compute_scores_in_child, read_valid_model

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
"""No dot and no slash: an id is always one directory inside the registry."""
RESERVED_IDS = frozenset({FusedOrder.name, "current", "previous"})
"""In any case: names of addresses, of the order without a model, and of pointer files of earlier builds."""
INVALID_ID = f"an id is letters, digits, - and _, at most 100, and none of {', '.join(sorted(RESERVED_IDS))}"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One model of the registry. problem: why its manifest cannot be read; empty when it can."""

    id: str
    created_at: datetime | None
    kind: str
    serving: bool
    metrics: Mapping[str, MetricEstimate]
    problem: str = ""


class Registry:
    """Registers each model completely or not at all.

    read_time: when a model is registered whose manifest does not state when it was made.
    """

    def __init__(self, directory: Path, read_time: Callable[[], datetime] | None = None) -> None:
        self.directory = directory
        self._read_time = read_time

    def versions(self, serving: str | None = None) -> list[ModelVersion]:
        """Returns the versions, newest first.

        A directory whose manifest cannot be read is listed with its problem.
        serving: the model that the release pointer names.
        """
        if not self.directory.exists():
            return []
        directories = [path for path in self.directory.iterdir() if path.is_dir() and _is_id(path.name)]
        found = [_read_version(path, serving) for path in directories]
        oldest = datetime.min.replace(tzinfo=UTC)
        return sorted(found, key=lambda version: (version.created_at or oldest, version.id), reverse=True)

    def read_legacy_pointer(self, name: Literal["CURRENT", "PREVIOUS"]) -> str | None:
        """Returns the model that an earlier build promoted; None without a file that names one."""
        try:
            model = (self.directory / name).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        return model if _is_id(model) else None

    def find_directory(self, model_id: str) -> Path:
        """Returns the directory of a model. Raises ModelNotFound, also for an invalid id."""
        if not _is_id(model_id) or not (self.directory / model_id).is_dir():
            raise ModelNotFound(
                f"there is no such model as {model_id!r} in {self.directory}; list them: reelrank models, or "
                "GET /v1/models"
            )
        return self.directory / model_id

    def register(
        self,
        manifest: Manifest,
        model_text: str,
        golden_features: NDArray[np.float32],
        pointwise_text: str = "",
    ) -> str:
        """Writes a model with its scores of golden rows [g, F], and returns its id.

        pointwise_text: of the second model, which `manifest.pointwise` describes.

        It does not serve until it is promoted. The scores are computed in a child process, because a
        damaged file may crash it. Raises ModelRejected when the model does not load, has another number of
        features, gives scores that are no numbers or cannot be explained, or the id is taken.
        """
        created_at = manifest.created_at or (self._read_time() if self._read_time else None)
        digest = hash_model(model_text)
        name = manifest.id or _choose_id(manifest.kind, created_at, digest)
        if not _is_id(name):
            raise ModelRejected(repr(name), INVALID_ID, "give it another id", code="invalid_model_id")
        complete = manifest.model_copy(update={"id": name, "created_at": created_at, "model_sha256": digest})
        golden = _score_golden_rows(complete, model_text, sample_evenly(golden_features))
        pointwise = _PointwiseFile(pointwise_text)
        if complete.pointwise is not None:
            scores = _score_golden_rows(complete, pointwise_text, sample_evenly(golden_features)).scores
            pointwise = _PointwiseFile(pointwise_text, scores)
            part = complete.pointwise.model_copy(update={"model_sha256": hash_model(pointwise_text)})
            complete = complete.model_copy(update={"pointwise": part})
        self._write_model(complete, model_text, golden, pointwise)
        return name

    def add_external(
        self,
        model_txt: Path,
        manifest: Path | Mapping[str, Any],
        known_features: Sequence[str],
        compute_fingerprint: Callable[[Sequence[str]], str],
    ) -> str:
        """Imports a LightGBM model trained elsewhere, whose features this build knows.

        manifest: {"id", "kind": "external", "features": [...]}, or a JSON file of it. The features
        are computed as this build computes them now: its fingerprint is stored, and golden rows
        are generated within the ranges that the model file states. Raises ModelRejected.
        """
        try:
            text = model_txt.read_text(encoding="utf-8")
            content = json.loads(manifest.read_text("utf-8")) if isinstance(manifest, Path) else manifest
            described, inside = read_external_model(content, text)
        except (OSError, TypeError, ValueError, RecursionError) as error:
            raise ModelRejected(
                str(model_txt),
                str(error),
                "correct the model file or its manifest",
                getattr(error, "code", "model_file_damaged"),
            ) from error
        check_features(described, known_features)
        current = described.model_copy(
            update={"feature_fingerprint": compute_fingerprint(described.features)}
        )
        return self.register(current, text, generate_golden_rows(inside))

    def check(self, model: str, load: Callable[[Path], object]) -> None:
        """Raises ModelNotFound, or ModelRejected unless the model loads. `engine-order` needs no check.

        load: usually `load_ranker` with this build's features.
        """
        if model == FusedOrder.name:
            return
        directory = self.find_directory(model)
        try:
            load(directory)
        except CodedError:
            raise
        except Exception as error:
            raise ModelRejected(
                model, f"its check failed ({error!r})", "see the cause above", code="model_check_failed"
            ) from error

    def import_files(self, model: str, contents: Mapping[str, bytes]) -> None:
        """Puts a model's files under its id, all of them or none. One that is there already stays."""
        if not _is_id(model):
            raise ModelRejected(repr(model), INVALID_ID, "name it otherwise", code="invalid_model_id")
        target = self.directory / model
        if target.exists():
            return
        with create_directory(target) as temporary:
            for name, content in contents.items():
                (temporary / name).write_bytes(content)

    def _write_model(
        self, manifest: Manifest, model_text: str, golden: GoldenRows, pointwise: "_PointwiseFile"
    ) -> None:
        directory = self.directory / manifest.id
        if directory.exists():
            raise ModelRejected(
                manifest.id,
                "the registry already has a model of that id",
                "give it another id",
                code="model_exists",
            )
        try:
            with create_directory(directory) as temporary:
                (temporary / MODEL_FILE).write_text(model_text, encoding="utf-8")
                if pointwise.scores is not None:
                    (temporary / POINTWISE_FILE).write_text(pointwise.text, encoding="utf-8")
                write_golden(temporary, golden, pointwise.scores)
                write_manifest(temporary, manifest)
        except OSError as error:
            raise Unavailable(f"{directory} cannot be written ({error})", code="storage_failed") from error


@dataclass(frozen=True, slots=True, eq=False)
class _PointwiseFile:
    """The text of a pointwise model and its scores of the golden rows; None without such a model."""

    text: str
    scores: NDArray[np.float32] | None = None


def _choose_id(kind: str, created_at: datetime | None, digest: str) -> str:
    stamp = f"{created_at.astimezone(UTC):%Y%m%dT%H%M%S}-" if created_at else ""
    return f"{kind}-{stamp}{digest[:4]}"


def _is_id(model_id: str) -> bool:
    return ID_PATTERN.fullmatch(model_id) is not None and model_id.lower() not in RESERVED_IDS


def _read_version(directory: Path, serving: str | None) -> ModelVersion:
    name = directory.name
    try:
        manifest = read_manifest(directory)
    except (OSError, ValueError) as error:
        return ModelVersion(name, None, "unknown", name == serving, {}, str(error))
    return ModelVersion(name, manifest.created_at, manifest.kind, name == serving, manifest.metrics)


def _score_golden_rows(manifest: Manifest, model_text: str, features: NDArray[np.float32]) -> GoldenRows:
    remedy = "train it again, with the features its manifest names"
    if features.ndim != 2 or features.shape[1] != len(manifest.features) or not len(features):
        reason = f"golden rows are of shape {features.shape} for {len(manifest.features)} features"
        raise ModelRejected(manifest.id, reason, remedy, code="invalid_golden_rows")
    try:
        read_valid_model(model_text, len(manifest.features))
        features = add_infinite_rows(features)
        scores = compute_scores_in_child(model_text, features)
    except ValueError as error:
        code = getattr(error, "code", "model_file_damaged")
        raise ModelRejected(manifest.id, str(error), remedy, code) from error
    return GoldenRows(features.astype(np.float32), scores)
