"""The gate over a stored release: reads what the checks need, and runs them."""

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.jobs.logged_pages import choose_windows
from reelrank.app.loop.candidates import find_profile, read_indexed_vectors, read_vectors
from reelrank.app.loop.reading.drift import Span, measure_drift, read_subject
from reelrank.app.loop.reading.logged_requests import read_gate_requests
from reelrank.app.release.staging import read_staged
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.state.release_states import load_release_state
from reelrank.app.state.snapshot import State
from reelrank.app.wiring import (
    Container,
    build_lake_storage,
    build_release_manager,
    load_model,
    read_serving_model,
    warm_service,
)
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.errors import ModelNotFound, NotFound
from reelrank.index_mappings.query import Context, Query
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.drift.histograms import Profile
from reelrank.ranking.evaluation.known_items import (
    DEPTH,
    KnownItemResult,
    generate_queries,
    measure_known_items,
)
from reelrank.ranking.gate.limits import GateLimits
from reelrank.ranking.gate.order_checks import (
    check_calibration,
    check_data,
    check_features,
    check_leak,
    check_order,
    check_sample,
)
from reelrank.ranking.gate.release_checks import (
    check_drift,
    check_known_items,
    check_latency,
    check_size,
    check_vectors,
)
from reelrank.ranking.gate.requests import GateRequests
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.rankers.blending import blend_rankers
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.rankers.manifest import MODEL_FILE, ModelRejected, read_manifest
from reelrank.ranking.registry.decisions import Check
from reelrank.ranking.registry.releases import Release

log = structlog.get_logger("reelrank.loop")
BASELINE, SERVED = "bm25", "candidate"
TIMEOUT_S = 10.0
UNCHANGED_MODEL = "its model is the one that serves; only its settings or its index version differ"
RequestReader = Callable[[Container, Grader], GateRequests | None]


def judge_release(
    container: Container, release_id: str, read_requests: RequestReader = read_gate_requests
) -> list[Check]:
    """Returns all checks of a stored release. Raises NotFound, and ModelRejected for a damaged model, whose
    golden rows score differently, or that does not fit this build.

    read_requests: reads the requests to judge on."""
    release = read_staged(build_release_manager(container), release_id)
    limits = build_limits(container)
    directory = container.registry.find_directory(release.model)
    candidate = blend_rankers(load_model(directory), container.config.blend)
    serving = load_serving(container)
    profile = find_profile(container, release.model) or Profile({})
    checks = [
        check_data(profile, find_profile(container, serving.name), limits),
        check_size(directory / MODEL_FILE, limits),
        _check_indexed(container, release, limits),
    ]
    if release.model == serving.name:
        checks.append(Check(name="model", passed=True, sentence=UNCHANGED_MODEL))
    else:
        requests = read_requests(container, Grader(container.settings.label))
        checks += judge_order(container, profile, requests, (candidate, serving), limits)
    checks.append(check_known_items(search_known_items(container, release), SERVED, limits))
    if container.settings.gate_drift:
        checks.append(judge_drift(container, release))
    return checks


def judge_drift(container: Container, release: Release) -> Check:
    """Compares the newest pages with the days that training reads, for what a release learned."""
    settings = container.settings
    windows = choose_windows(Lake(build_lake_storage(settings)), container.clock.now(), settings.gate_hours)
    try:
        if windows is None:
            raise NotFound("there are no logged pages to compare", code="no_logged_pages")
        spans = Span(windows.begin, windows.test), Span(windows.test, windows.end)
        return check_drift(measure_drift(container, *spans, read_subject(container, release)))
    except NotFound as error:
        return Check(name="drift", passed=True, sentence=str(error), is_blocking=False)


def load_serving(container: Container) -> Ranker:
    """Returns the serving model, or the fused order that serves in its place when it does not fit this build:
    after an upgrade the loop must be able to replace it."""
    model = read_serving_model(container)
    if model is None:
        return FusedOrder()
    try:
        ranker = load_model(container.registry.find_directory(model))
        return blend_rankers(ranker, container.config.blend)
    except (ModelRejected, ModelNotFound) as error:
        log.warning("the serving model is not compared with", model=model, reason=str(error))
        return FusedOrder()


def build_limits(container: Container) -> GateLimits:
    """Returns the limits with those that are settings."""
    return GateLimits(margin=container.settings.gate_margin)


def judge_order(
    container: Container,
    profile: Profile,
    requests: GateRequests | None,
    rankers: tuple[Ranker, Ranker],
    limits: GateLimits,
) -> list[Check]:
    """Returns the checks that need logged requests. The first model has none to be judged on: the held-out
    requests of its training then decide."""
    candidate, serving = rankers
    if requests is None or not len(requests.select_answered().groups):
        return [check_held_out(container, candidate, serving)]
    answered = requests.select_answered()
    gains = [_read_gains(container, ranker.name) for ranker in rankers]
    return [
        check_sample(answered, limits),
        check_order(answered, candidate, serving, limits),
        check_calibration(requests, candidate, limits),
        check_features(profile, requests, limits, candidate.feature_names),
        check_leak(answered, gains[0], gains[1], limits),
        check_latency(candidate, requests.select_features(candidate.feature_names), limits),
    ]


def check_held_out(container: Container, candidate: Ranker, serving: Ranker) -> Check:
    """Compares with the fused order on the requests that training held out; passes only a first model."""
    manifest = read_manifest(container.registry.find_directory(candidate.name))
    own = manifest.metrics.get("ndcg@10")
    fused = manifest.baselines.get("fused", {}).get("ndcg@10")
    better = own is not None and fused is not None and own.value > fused.value
    passed = better and serving.name == FusedOrder.name
    values = {"ndcg": own.value if own else 0.0, "fused_ndcg": fused.value if fused else 0.0}
    return Check(
        name="order",
        passed=passed,
        sentence="there are no logged requests to judge it on; on requests that training held out NDCG@10 is "
        f"{values['ndcg']:.4f}, that of the fused order {values['fused_ndcg']:.4f}"
        + ("" if passed else ": a serving model is not replaced without logged requests"),
        figures=values,
    )


def search_known_items(container: Container, release: Release) -> list[KnownItemResult]:
    """Searches for titles of the serving catalogue, by the release and by BM25 alone; [] when turned off."""
    if not container.settings.gate_known_items:
        return []
    version = container.engine.serving_version() or release.index_version
    items = [document.item for batch in container.engine.scan(version) for document in batch]
    queries = generate_queries(items, container.settings.gate_known_items, 0)
    service = warm_service(container)
    state = load_release_state(service.refresher.sources, release)
    systems = {BASELINE: partial(_search_text, state), SERVED: partial(_search, service, state)}
    return measure_known_items(queries, systems, BASELINE)


def _check_indexed(container: Container, release: Release, limits: GateLimits) -> Check:
    learned = read_vectors(container.settings.loop_dir / f"{release.id}.npz")
    return check_vectors(learned, read_indexed_vectors(container, release.index_version, learned), limits)


def _read_gains(container: Container, model: str) -> dict[str, float]:
    if model == FusedOrder.name:
        return {}
    return read_manifest(container.registry.find_directory(model)).gains


def _search_text(state: State, text: str) -> Sequence[str]:
    matches = state.matcher.match_text(TextMatch(BASELINE, text, DEPTH), TIMEOUT_S)
    return [item_id.decode() for item_id in matches.ids.tolist()]


def _search(service: SearchService, state: State, text: str) -> Sequence[str]:
    query = Query(text=text, limit=DEPTH, context=Context(SYSTEM_CLOCK.now()))
    ranked = service.rank_query(RankingOptions(query), StageTimings(), state)
    return [item_id.decode() for item_id in ranked.candidates.ids[:DEPTH].tolist()]
