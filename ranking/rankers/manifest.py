"""The manifest of a model, kept beside it as manifest.json: what must fit before it may serve."""

from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from reelrank.index_mappings.errors import CodedError
from reelrank.ranking.rankers.calibration import Calibration

MANIFEST_FILE = "manifest.json"
MODEL_FILE, POINTWISE_FILE = "model.txt", "pointwise.txt"
MAX_NAMED_FIELDS = 5
"""Wrong fields that one error names."""


class ModelRejected(CodedError):
    """A model must not serve: which one, why, and what to do."""

    code = "model_rejected"

    def __init__(self, model: str, reason: str, remedy: str, code: str = "") -> None:
        super().__init__(f"model {model} is refused: {reason}; {remedy}", code)
        self.model = model
        self.reason = reason
        self.remedy = remedy


class InvalidModel(ValueError):
    """What is wrong with the files of a model, before it is known which; becomes ModelRejected.

    code: of the ModelRejected.
    """

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.code = code


class MetricEstimate(BaseModel):
    """The mean of a metric over requests, with its 95 % bootstrap interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float


class ColdStart(BaseModel):
    """The order of the home pages of viewers without a past, and what it was decided by.

    pages, viewers: of a validation window that the model was not fitted on. difference: NDCG@10 of the model
    less that of popularity on these pages; None without any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: Literal["popularity", "model"] = "popularity"
    pages: int = 0
    viewers: int = 0
    difference: MetricEstimate | None = None

    @property
    def is_by_model(self) -> bool:
        return self.order == "model"


class PointwiseModel(BaseModel):
    """Describes the pointwise model beside a LambdaRank model: pointwise.txt, on the same features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calibration: Calibration
    model_sha256: str = ""
    params: dict[str, Any] = {}


class Manifest(BaseModel):
    """Describes one model. The registry fills in an empty `id`; empty fingerprints are not compared.

    features: names in the order of the model's columns. missing: how a missing value reaches the
    model. data_window: first and last millisecond since 1970 of the events it learned from.
    metrics: by name, on held-out requests; baselines: system to the same metrics.
    gains: feature to its total split gain. calibration: turns a score into a probability.
    embeddings_fingerprint: of the embeddings published with it; empty for a model of an earlier build or
    made elsewhere, which may rank over any.
    model_sha256: of model.txt, compared before LightGBM parses the file. pointwise: the second model that may
    be blended with this one; None without. cold_start: None for a model of an earlier build or one that was
    made elsewhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    created_at: AwareDatetime | None = None
    kind: Literal["lambdarank", "external"] = "lambdarank"
    features: tuple[str, ...] = Field(min_length=1)
    missing: str = "NaN"
    hash_seeds: dict[str, int] = {}
    hash_buckets: dict[str, int] = {}
    feature_fingerprint: str = ""
    encoder: str = ""
    index_fingerprint: str = ""
    embeddings_fingerprint: str = ""
    data_window: tuple[int, int] | None = None
    metrics: dict[str, MetricEstimate] = {}
    baselines: dict[str, dict[str, MetricEstimate]] = {}
    gains: dict[str, float] = {}
    params: dict[str, Any] = {}
    calibration: Calibration | None = None
    model_sha256: str = ""
    pointwise: PointwiseModel | None = None
    cold_start: ColdStart | None = None
    note: str = ""

    @field_validator("features")
    @classmethod
    def _check_no_repeats(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        repeated = sorted({name for name in features if features.count(name) > 1})
        if repeated:
            raise ValueError(f"features named twice: {', '.join(repeated)}")
        return features


def read_manifest(directory: Path) -> Manifest:
    """Raises OSError when there is none and ValueError when it is not a manifest."""
    body = (directory / MANIFEST_FILE).read_bytes()
    try:
        return Manifest.model_validate_json(body)
    except ValidationError as error:
        raise ValueError(describe_validation_error(error)) from error


def describe_validation_error(error: ValidationError) -> str:
    """Returns the first wrong fields and what is wrong with each, without pydantic's own remarks."""
    return "; ".join(_describe_field(dict(detail)) for detail in error.errors()[:MAX_NAMED_FIELDS])


def _describe_field(detail: dict[str, Any]) -> str:
    field = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Writes it so that earlier builds can read it where it has none of the parts that they do not know."""
    left_out = {name for name in ("pointwise", "cold_start") if getattr(manifest, name) is None}
    text = manifest.model_dump_json(indent=2, exclude=left_out)
    (directory / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
