"""The process that fuzzes one target: libFuzzer ends it, by a finding or after its time."""

import logging
import sys

import atheris
import structlog

from tests.fuzz.mutator import mutate_json

READERS = (
    "reelrank.app.web", "reelrank.app.search", "reelrank.app.jobs.backup", "reelrank.app.engines",
    "reelrank.loaders", "reelrank.index_mappings", "reelrank.ranking.wire", "reelrank.ranking.registry",
    "reelrank.ranking.items.names", "reelrank.ranking.retrieval",
)  # fmt: skip
"""Where bytes are read. What only computes would cost half of the time to watch."""

with atheris.instrument_imports(include=list(READERS)):
    from tests.fuzz.targets import TARGETS

JSON_TARGETS = frozenset({"ubi", "catalogue", "manifests"})


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Changes a value of a JSON document half of the time, else bytes."""
    changed = mutate_json(data, seed) if seed % 2 else None
    if changed is None or len(changed) > max_size:
        whole: bytes = atheris.Mutate(data, max_size)
        return whole
    return changed


def main() -> None:
    """Arguments: a target, then those of libFuzzer."""
    name = sys.argv[1]
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    options = {"custom_mutator": mutate} if name in JSON_TARGETS else {}
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[name], **options)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
