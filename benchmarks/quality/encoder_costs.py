"""Measures the cost of text encoders, each in its own process on one core.

`python -m benchmarks.quality.encoder_costs NAME` reads texts as JSON from standard input.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.quality.encoders import MODEL, TOKENIZER, find_package, list_encoders, measure_ms_per_text
from reelrank.index_mappings.encoder import TextEncoder, WordLlamaEncoder

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
PASSES = 3
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """What a text encoder costs.

    ms_query: per text, one at a time. ms_document: per text, in batches as in a load.

    files_mib: files of the model. library_mib: files of the package that runs it. memory_mib: growth of the
    peak memory of the process by loading the encoder and encoding the documents.
    """

    encoder: str
    ms_query: float
    ms_document: float
    files_mib: float
    library_mib: float
    memory_mib: float

    def __str__(self) -> str:
        return (
            f"{self.encoder} on one core: {self.ms_query:.3g} ms per query, "
            f"{self.ms_document:.3g} ms per film, {self.memory_mib:.0f} MiB of memory; "
            f"model {self.files_mib:.0f} MiB and library {self.library_mib:.0f} MiB on disk"
        )


def measure_cost(encoder: TextEncoder, queries: Sequence[str], documents: Sequence[str]) -> Cost:
    """Measures an encoder in another process. Raises CalledProcessError if the process fails."""
    texts = json.dumps({"queries": queries, "documents": documents})
    command = [sys.executable, "-m", "benchmarks.quality.encoder_costs", encoder.name]
    result = subprocess.run(
        command, input=texts, capture_output=True, text=True, check=True, env={**os.environ, **ONE_THREAD}
    )
    return Cost(**json.loads(result.stdout))


def measure_in_process(encoder: TextEncoder, queries: Sequence[str], documents: Sequence[str]) -> Cost:
    """Measures an encoder in this process, which must not have loaded it yet."""
    before = _read_peak_mib()
    encoder.encode(queries[:1])
    ms_document = min(_time_batch(encoder, documents) for _ in range(PASSES))
    memory_mib = _read_peak_mib() - before
    ms_query = measure_ms_per_text(encoder, queries)
    files, library = _measure_sizes(encoder)
    return Cost(encoder.name, ms_query, ms_document, files, library, memory_mib)


def _time_batch(encoder: TextEncoder, documents: Sequence[str]) -> float:
    began = time.perf_counter()
    encoder.encode(documents)
    return 1000 * (time.perf_counter() - began) / len(documents)


def _read_peak_mib() -> float:
    """Returns the peak memory on Linux, else NaN. getrusage would include the parent's memory."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), float("nan"))


def _measure_sizes(encoder: TextEncoder) -> tuple[float, float]:
    if isinstance(encoder, WordLlamaEncoder):
        home = find_package("wordllama")
        files = _sum_mib([*home.glob("weights/*_256.*"), *home.glob("tokenizers/*.json")])
        return files, _sum_mib(home.rglob("*")) - files
    tokenizer = find_package(TOKENIZER) / "model" / "tokenizer.json"
    return _sum_mib([find_package(MODEL) / "model.onnx", tokenizer]), _sum_mib(
        find_package("onnxruntime").rglob("*")
    )


def _sum_mib(files: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in files if path.is_file()) / MIB


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    texts = json.load(sys.stdin)
    encoder = next(encoder for encoder in list_encoders() if encoder.name == sys.argv[1])
    print(json.dumps(asdict(measure_in_process(encoder, texts["queries"], texts["documents"]))))


if __name__ == "__main__":
    main()
