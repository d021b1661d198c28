"""The doctor: the state of a project, its problems, and how to repair them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reelrank.app.diagnostics.event_checks import find_event_problems
from reelrank.app.wiring import (
    Container,
    build_release_manager,
    list_stated,
    load_model,
    read_serving_model,
)
from reelrank.index_mappings.errors import EngineError, ModelNotFound, explain
from reelrank.index_mappings.mapping import compute_index_fingerprint
from reelrank.loaders.items.journal import Journal
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.items.table import TableError, open_table
from reelrank.ranking.rankers.lambdarank import FusedOrder, LambdaRank
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.releases import Pointer

UNTRAINED = (
    "no model is trained yet, so the search engine alone orders the items; once there are 100 watches, run: "
    "reelrank train"
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the doctor found.

    status: the parts of the project, by name. problems: what is wrong, each with its remedy. hints: what is
    still to be done in a project that is new, with the command.
    """

    status: dict[str, object]
    problems: list[str]
    hints: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return not self.problems and not self.hints


def diagnose(container: Container) -> Diagnosis:
    """Completes a promotion that was interrupted, then checks release, index, item table and model."""
    problems = list[str]()
    pointer = _settle(container, problems)
    version = container.engine.serving_version()
    status: dict[str, object] = {
        "engine": f"{container.engine.name} at {container.settings.engine_location}",
        "index version": version,
        "index fingerprint": compute_index_fingerprint(),
        "feature fingerprint": compute_feature_fingerprint(FEATURE_NAMES),
        "events": container.events.count(),
    }
    if (stopped := Journal(container.settings.loads_dir).read_entry()) is not None:
        rows = f"{stopped.read} rows are in {stopped.version}"
        status["load under way or stopped"] = f"{rows}; run the same command again to continue"
    if pointer is not None:
        problems += find_release_problems(container, pointer, status)
    if version is None:
        problems.append("no index version serves; run: reelrank load items FILE, or reelrank demo")
    else:
        problems += _find_index_problems(container, version, status)
        if (block := container.engine.find_write_block()) is not None:
            problems.append(str(block))
    problems += find_event_problems(container, version, status)
    if read_serving_model(container) is None and not _had_model(container):
        return Diagnosis(status, problems, [UNTRAINED])
    return Diagnosis(status, problems + _find_model_problems(container, status))


def _had_model(container: Container) -> bool:
    """Returns whether a model is registered or was ever released: then its absence is a problem."""
    released = container.releases.list_releases()
    return bool(container.registry.versions()) or any(r.model != FusedOrder.name for r in released)


def _settle(container: Container, problems: list[str]) -> Pointer | None:
    try:
        return build_release_manager(container).settle()
    except EngineError as error:
        problems.append(explain(error))
        return None


def find_release_problems(container: Container, pointer: Pointer, status: dict[str, object]) -> list[str]:
    """Finds contradictions in the serving release, and a previous release that cannot serve again."""
    releases, release, previous = build_release_manager(container), pointer.serving, pointer.previous
    status |= {"release": release.id, "model": release.model, "embeddings": release.embeddings or "unknown"}
    stated = {name: releases.config[name] for name in sorted(list_stated(container))}
    if release.config and (changes := _describe_changes(release.config, stated)):
        status["settings changed since promotion"] = changes
    problems, serving = list[str](), container.engine.serving_version()
    if release.index_version != (serving or ""):
        problems.append(
            f"release {release.id} has index version {release.index_version or 'none'}, but the engine "
            f"serves {serving or 'none'}; run: reelrank releases promote {release.id}"
        )
    if release.index_version and not releases.fits(release):
        problems.append(
            f"release {release.id} is inconsistent: its model {release.model} was trained with other "
            f"embeddings than its index version {release.index_version} has, so the fused order serves; "
            "run: reelrank releases rollback, or reelrank train"
        )
    existing = {"", *(version.name for version in container.engine.versions())}
    if previous is not None and previous.index_version not in existing:
        problems.append(
            f"the previous release {previous.id} cannot serve again: its index version "
            f"{previous.index_version} was dropped; promote another release"
        )
    return problems


def _describe_changes(before: Mapping[str, float], now: Mapping[str, float]) -> str:
    """Names stated settings that differ; empty for none. What is not stated is as it was promoted."""
    changed = [name for name in now if before.get(name) != now[name]]
    return ", ".join(f"{name} from {before.get(name, 'unknown')} to {now[name]}" for name in changed)


def _find_index_problems(container: Container, version: str, status: dict[str, object]) -> list[str]:
    problems = []
    if compute_index_fingerprint() not in version:
        problems.append(
            f"{version} was indexed by another build with other text analysis or another encoder, and is "
            "searched as that build did; load the items again, or run: reelrank train"
        )
    try:
        table = open_table(container.settings.tables_dir / version)
        status["item table"] = f"{len(table)} items"
        if table.fold_in is None and table.has_vector("factors").any():
            problems.append(
                "the item table has lost the fold-in parameters for new viewers; run: reelrank train"
            )
    except TableError as error:
        problems.append(str(error))
    return problems


def _find_model_problems(container: Container, status: dict[str, object]) -> list[str]:
    current = read_serving_model(container)
    if current is None:
        remedy = "reelrank releases rollback, or reelrank promote MODEL"
        return [f"no model is promoted, engine order serves; run: {remedy}"]
    try:
        ranker = load_model(container.registry.find_directory(current))
    except (ModelNotFound, ModelRejected) as error:
        return [str(error)]
    status["scores are made by"] = ranker.scorer if isinstance(ranker, LambdaRank) else ranker.name
    return []
