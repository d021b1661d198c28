"""What states are made from, and the state of a release that does not serve: for gate, shadow and canary."""

from collections.abc import Callable
from dataclasses import dataclass

from reelrank.app.state.counter_snapshots import CounterSnapshots
from reelrank.app.state.live_items import warm_table
from reelrank.app.state.model_cache import Models
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.engine import SearchEngine, WriteBlock
from reelrank.index_mappings.errors import Unavailable
from reelrank.index_mappings.event_store import EventStore
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.rankers.lambdarank import FusedOrder, explain_embeddings_mismatch
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.releases import Release, ReleaseStore


@dataclass(frozen=True, slots=True)
class StateSources:
    """What the state is made from.

    open_table: index version to its item table; raises TableError. counters: where counts are saved. settle:
    completes a promotion that was stopped, or makes the first release after an upgrade. end_block: ends a
    write block that a promotion left. Both raise EngineError. list_running: the experiments that run.
    """

    engine: SearchEngine
    events: EventStore
    models: Models
    releases: ReleaseStore
    open_table: Callable[[str], ItemTable]
    counters: CounterSnapshots
    settle: Callable[[], object]
    end_block: Callable[[WriteBlock], None]
    list_running: Callable[[], tuple[Experiment, ...]] = tuple


def load_release_state(sources: StateSources, release: Release, previous: State | None = None) -> State:
    """Loads what a release answers from; `previous`, if it is of the same release, only counts new events.

    Items that were put since its index version was made are not in it. Raises EngineError, TableError, and
    ModelRejected for a model that does not fit, where the serving release would fall back to the fused order.
    """
    if previous is not None and previous.release == release.id:
        previous.activity.poll(sources.events)
        return previous
    known = {version.name for version in sources.engine.versions()}
    if release.index_version not in known:
        raise Unavailable(
            f"index version {release.index_version} of release {release.id} was dropped", "no_index_version"
        )
    table = sources.open_table(release.index_version)
    warm_table(table)
    embeddings = choose_embeddings(release, table)
    ranker, degraded = sources.models.current(release)
    if release.model not in (FusedOrder.name, ranker.name):
        reason = str(degraded[0]) if degraded else "it cannot be loaded"
        raise ModelRejected(release.model, reason, "train it again")
    if problem := explain_embeddings_mismatch(ranker, embeddings):
        raise ModelRejected(release.model, problem, "train it again", "embeddings_mismatch")
    activity = sources.counters.open(table, sources.events)
    activity.poll(sources.events)
    matcher = sources.engine.at_version(release.index_version)
    return State(
        release.index_version,
        table,
        activity,
        ranker,
        matcher,
        () if ranker.name != FusedOrder.name else degraded,
        embeddings,
        release.id,
        release.config,
    )


def choose_embeddings(release: Release | None, table: ItemTable) -> str:
    """Returns the embeddings fingerprint that the release names, else that of the item table."""
    if release is not None and release.index_version == table.version:
        return release.embeddings
    return table.embeddings
