"""Builds a candidate: trains, writes an index version beside the serving one, stores both as a release.

Storing the release is the commit: a killed build is done again, a finished one is found and kept.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from reelrank.app.jobs.training import train
from reelrank.app.loop.work import Built
from reelrank.app.release.staging import read_staged, stage_release
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.wiring import Container, build_release_manager
from reelrank.index_mappings.errors import NotFound
from reelrank.loaders.items.catalogue import LoadOptions
from reelrank.loaders.items.reindex import reindex
from reelrank.ranking.drift.histograms import PROFILE_FILE, Profile, read_profile
from reelrank.ranking.durable import replace_file
from reelrank.ranking.embeddings.learn_embeddings import Embeddings
from reelrank.ranking.gate.release_checks import Vectors
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.rankers.manifest import read_manifest
from reelrank.ranking.registry.releases import Release

SAMPLED_VECTORS = 64
"""Vectors that are compared with those of the index version: the first by item id, so a scan ends early."""
VECTOR_FIELD = "factors"


def build_candidate(
    container: Container, run: str, progress: Progress, trainer: Callable[..., object] | None = None
) -> Built:
    """Returns the release of a run, which is built unless it is there. Raises NotFound without data.

    trainer: is called as `train`; None: that.
    """
    name = name_release(run)
    manager = build_release_manager(container)
    try:
        release = read_staged(manager, name)
    except NotFound:
        (trainer or train)(container, progress, publisher=partial(stage, name))
        release = read_staged(manager, name)
    return describe_candidate(container, release)


def name_release(run: str) -> str:
    """Returns the id of the release that a run builds."""
    return f"release-{run.removeprefix('run-')}"


def stage(name: str, container: Container, embeddings: Embeddings, progress: Progress, model: str) -> str:
    """Writes an index version with these embeddings and stores the release, which does not serve."""
    settings = container.settings
    tables, manager = ItemTableStore(settings.tables_dir, container.engine), build_release_manager(container)
    fingerprint = embeddings.compute_fingerprint()
    write_vectors(settings.loop_dir / f"{name}.npz", embeddings)

    def store(version: str) -> Release:
        release = Release(
            id=name,
            created_at=container.clock.now(),
            index_version=version,
            model=model,
            embeddings=fingerprint,
            reason="loop",
        )
        return stage_release(manager, release)

    options = LoadOptions(
        versions_to_keep=settings.index_keep,
        before_promote=lambda version: tables.build(version, embeddings.fold_in, fingerprint, progress),
        promote=store,
        list_kept_versions=manager.list_kept_versions,
        created_at=container.clock.now(),
    )
    version = reindex(container.engine, container.encoder, embeddings, options, progress).version
    manager.forget_dropped_versions()
    tables.drop_stale()
    return version


def describe_candidate(container: Container, release: Release) -> Built:
    """Returns what is known of a stored release: its hashes, and how good its training found it."""
    directory = container.registry.find_directory(release.model)
    manifest, profile = read_manifest(directory), find_profile(container, release.model)
    figures = {f"replayed {name}": metric.value for name, metric in manifest.metrics.items()}
    if profile is not None:
        figures |= {"requests": profile.requests, "answered": profile.answered, "rows": profile.rows}
    inputs = {"model": release.model, "embeddings": release.embeddings, "index": release.index_version}
    inputs |= {name: digest[:16] for name, digest in release.files.items()}
    if manifest.data_window is not None:
        inputs |= {
            "events_from_ms": str(manifest.data_window[0]),
            "events_to_ms": str(manifest.data_window[1]),
        }
    return Built(release.id, inputs, figures, profile.source if profile else "an unknown history")


def find_profile(container: Container, model: str) -> Profile | None:
    """Returns what a model learned from; None for the fused order and for models of earlier builds."""
    if model == FusedOrder.name:
        return None
    try:
        return read_profile(container.registry.directory / model / PROFILE_FILE)
    except (OSError, ValueError):
        return None


def write_vectors(path: Path, embeddings: Embeddings) -> None:
    """Keeps a sample of the learned vectors, to compare the index version with."""
    ids, vectors = embeddings.vectors.get(VECTOR_FIELD, (np.zeros(0, "S1"), np.zeros((0, 1), np.float32)))
    first = np.argsort(ids)[:SAMPLED_VECTORS]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as temporary:
        np.savez(temporary, ids=np.asarray(ids)[first], vectors=vectors[first])


def read_vectors(path: Path) -> Vectors:
    """Returns the sample of learned vectors, by item id; an empty one when it is not there."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            ids, vectors = stored["ids"], stored["vectors"]
    except OSError:
        return {}
    return {item.decode(): vector for item, vector in zip(ids.tolist(), vectors, strict=True)}


def read_indexed_vectors(container: Container, version: str, wanted: Vectors) -> Vectors:
    """Returns the vectors that an index version has of these items; the scan ends with the last of them."""
    found, last = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]](), max(wanted, default="")
    for batch in container.engine.scan(version) if wanted else ():
        for document in batch:
            if document.item.id in wanted and VECTOR_FIELD in document.vectors:
                found[document.item.id] = np.asarray(document.vectors[VECTOR_FIELD], np.float32)
        if batch and (len(found) == len(wanted) or batch[-1].item.id > last):
            break
    return found
