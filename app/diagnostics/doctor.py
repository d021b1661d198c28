"""The doctor: what is there, what disagrees with what, and how to mend it."""

from dataclasses import dataclass

from reelrank.app.wiring import Container, load_model
from reelrank.index_mappings.fingerprint import compute_index_fingerprint
from reelrank.loaders.items.journal import Journal
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.items.table import TableError, open_table
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.rankers.manifest import ModelRejected


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """facts: what is there, by name. complaints: what is wrong, each with its remedy; empty when well."""

    status: dict[str, object]
    problems: list[str]


def diagnose(container: Container) -> Diagnosis:
    version, complaints = container.engine.serving_version(), list[str]()
    facts: dict[str, object] = {
        "engine": f"{container.engine.name} at {container.settings.engine_location}",
        "index version": version,
        "index fingerprint": compute_index_fingerprint(),
        "feature fingerprint": compute_feature_fingerprint(FEATURE_NAMES),
        "events": container.events.count(),
        "model": container.registry.current() or "engine-order",
    }
    if (stopped := Journal(container.settings.loads_dir).read_entry()) is not None:
        rows = f"{stopped.read} rows are in {stopped.version}"
        facts["load under way or stopped"] = f"{rows}; the same command goes on with it"
    if version is None:
        complaints.append("no index version serves; run: reelrank load items FILE, or reelrank demo")
    else:
        complaints += _find_index_problems(container, version, facts)
    return Diagnosis(facts, complaints + _find_model_problems(container, facts))


def _find_index_problems(container: Container, version: str, status: dict[str, object]) -> list[str]:
    complaints = []
    if compute_index_fingerprint() not in version:
        complaints.append(f"{version} was indexed in another way than this build does; load the items again")
    try:
        table = open_table(container.settings.tables_dir / version)
        status["item table"] = f"{len(table)} items"
        if table.fold_in is None and table.has_vector("factors").any():
            complaints.append("what folds new viewers in was lost with an item table; run: reelrank train")
    except TableError as error:
        complaints.append(str(error))
    return complaints


def _find_model_problems(container: Container, status: dict[str, object]) -> list[str]:
    current = container.registry.current()
    if current is None:
        known = container.registry.versions()
        remedy = "reelrank models rollback, or reelrank promote MODEL" if known else "reelrank train"
        return [f"no model is promoted, engine order serves; run: {remedy}"]
    try:
        ranker = load_model(container.registry.directory_of(current))
    except ModelRejected as refused:
        return [str(refused)]
    status["scores are made by"] = ranker.scorer if isinstance(ranker, LambdaRank) else ranker.name
    return []
