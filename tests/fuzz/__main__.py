"""`python -m tests.fuzz`: fuzzes targets one after the other and prints how many inputs each was given.

Needs the extra `fuzz`. Findings are files, which `--replay FILE` runs again with a traceback.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.corpus_file import MAX_BYTES, MAX_INPUTS, read_corpus, write_corpus
from tests.fuzz.targets import TARGETS

MEMORY_MB, TIMEOUT_S, LONGEST = 3000, 20, 4096


def main() -> int:
    """Returns 1 if there was a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; all by default")
    parser.add_argument("--minutes", type=float, default=5, help="minutes for each target")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for findings")
    parser.add_argument("--keep", action="store_true", help="add the smallest new inputs to the corpus")
    parser.add_argument("--replay", type=Path, help="run the one target on this file, without atheris")
    options = parser.parse_args()
    if options.replay:
        TARGETS[options.targets[0]](options.replay.read_bytes())
        return 0
    failed = [fuzz(target, options) for target in options.targets or TARGETS]
    return int(any(failed))


def fuzz(target: str, options: argparse.Namespace) -> bool:
    """Runs a target for its time; returns whether there was a finding."""
    options.findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="reelrank-corpus-") as directory:
        for number, data in enumerate(read_corpus(target)):
            Path(directory, f"seed{number}").write_bytes(data)
        arguments = [
            directory, f"-max_total_time={round(options.minutes * 60)}", f"-rss_limit_mb={MEMORY_MB}",
            f"-timeout={TIMEOUT_S}", f"-max_len={LONGEST}", "-print_final_stats=1", "-verbosity=1",
            f"-artifact_prefix={options.findings}/{target}-",
        ]  # fmt: skip
        command = [sys.executable, "-m", "tests.fuzz.process", target, *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
        executed = re.search(r"stat::number_of_executed_units:\s+(\d+)", done.stderr)
        print(f"{target}: {executed[1] if executed else 0} inputs, exit code {done.returncode}", flush=True)  # noqa: T201
        if done.returncode:
            print(done.stderr[-4000:], flush=True)  # noqa: T201
        if options.keep:
            found = sorted((path.read_bytes() for path in Path(directory).iterdir()), key=len)
            small = [data for data in found if len(data) <= MAX_BYTES]
            seeds = read_corpus(target)
            write_corpus(target, [*seeds, *small][:MAX_INPUTS])
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
