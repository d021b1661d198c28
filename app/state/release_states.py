"""The state of a release that does not serve: for the gate, the shadow and the canary."""

from reelrank.app.state.activity_counters import ActivityCounters
from reelrank.app.state.live_items import warm_table
from reelrank.app.state.refresher import StateSources, choose_embeddings
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.errors import Unavailable
from reelrank.ranking.rankers.lambdarank import FusedOrder, explain_embeddings_mismatch
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.releases import Release


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
    activity = ActivityCounters(table)
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
