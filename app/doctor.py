"""The doctor: what is there, what disagrees with what, and how to mend it."""

from dataclasses import dataclass

from app.wiring import Parts, load_model
from index_mappings.fingerprint import index_fingerprint
from loaders.journal import Journal
from ranking.features.compute import FEATURE_NAMES
from ranking.fingerprint import feature_fingerprint
from ranking.item_table import TableError, open_table
from ranking.manifest import Refused
from ranking.ranker import LambdaRank


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """facts: what is there, by name. complaints: what is wrong, each with its remedy; empty when well."""

    facts: dict[str, object]
    complaints: list[str]


def diagnose(parts: Parts) -> Diagnosis:
    version, complaints = parts.engine.serving_version(), list[str]()
    facts: dict[str, object] = {
        "engine": f"{parts.engine.name} at {parts.settings.engine_place}",
        "index version": version,
        "index fingerprint": index_fingerprint(),
        "feature fingerprint": feature_fingerprint(FEATURE_NAMES),
        "events": parts.events.count(),
        "model": parts.registry.current() or "engine-order",
    }
    if (stopped := Journal(parts.settings.loads_dir).entry()) is not None:
        rows = f"{stopped.read} rows are in {stopped.version}"
        facts["load under way or stopped"] = f"{rows}; the same command goes on with it"
    if version is None:
        complaints.append("no index version serves; run: reelrank load items FILE, or reelrank demo")
    else:
        complaints += _index_complaints(parts, version, facts)
    return Diagnosis(facts, complaints + _model_complaints(parts, facts))


def _index_complaints(parts: Parts, version: str, facts: dict[str, object]) -> list[str]:
    complaints = []
    if index_fingerprint() not in version:
        complaints.append(f"{version} was indexed in another way than this build does; load the items again")
    try:
        table = open_table(parts.settings.tables_dir / version)
        facts["item table"] = f"{len(table)} items"
        if table.folding is None and table.has_vector("factors").any():
            complaints.append("what folds new viewers in was lost with an item table; run: reelrank train")
    except TableError as error:
        complaints.append(str(error))
    return complaints


def _model_complaints(parts: Parts, facts: dict[str, object]) -> list[str]:
    current = parts.registry.current()
    if current is None:
        known = parts.registry.versions()
        remedy = "reelrank models rollback, or reelrank promote MODEL" if known else "reelrank train"
        return [f"no model is promoted, engine order serves; run: {remedy}"]
    try:
        ranker = load_model(parts.registry.directory_of(current))
    except Refused as refused:
        return [str(refused)]
    facts["scores are made by"] = ranker.scorer if isinstance(ranker, LambdaRank) else ranker.name
    return []
