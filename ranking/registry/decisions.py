"""Decision records: why a release was made, refused, promoted or rolled back; written and read here.

On disk: one JSON line for each step of a run, appended to <directory>/history.jsonl and flushed. A step that
ran again after a kill appends another line under the same key (run, step); readers keep the newest.

To read them: `FileHistory(directory).read()` for all, `.of_run(run)`, and `.of_release(release_id)`, which
also finds the runs in which a release served while another one was judged.
"""

import hashlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from reelrank.index_mappings.errors import Unavailable
from reelrank.ranking.durable import append_line

HISTORY_FILE = "history.jsonl"
HASH_DIGITS = 16


class StepOutcome(StrEnum):
    """What a step decided. WAITING: it goes on in the next run of the command."""

    DONE = "done"
    NOTHING_NEW = "nothing new"
    SKIPPED = "skipped"
    WAITING = "waiting"
    PASSED = "passed"
    REFUSED = "refused"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"


class Check(BaseModel):
    """One question of a decision: its figures and thresholds by name, the answer, and a sentence for people.

    is_blocking: a failed one refuses the release; one that is not only warns.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    passed: bool
    sentence: str
    figures: dict[str, float] = {}
    thresholds: dict[str, float] = {}
    is_blocking: bool = True


class Decision(BaseModel):
    """One step of one run. verdict: a sentence. inputs: what was read, by name, as a hash or an id.

    release: the one that was judged or made; serving: the one that served at that time. Both may be empty.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: str
    step: str
    at: AwareDatetime
    outcome: StepOutcome
    verdict: str
    release: str = ""
    serving: str = ""
    inputs: dict[str, str] = {}
    figures: dict[str, float] = {}
    checks: tuple[Check, ...] = ()

    def concerns(self, release_id: str) -> bool:
        return bool(release_id) and release_id in (self.release, self.serving)


class History(Protocol):
    """Decision records, in the order in which they were made."""

    def append(self, decision: Decision) -> None:
        """Keeps a decision, durable when it returns. Raises Unavailable."""
        ...

    def read(self) -> list[Decision]:
        """Returns all decisions, oldest first, each step of a run once. Raises Unavailable."""
        ...


class FileHistory:
    """The decision records of one data directory."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / HISTORY_FILE

    def append(self, decision: Decision) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            append_line(self.path, decision.model_dump_json().encode())
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be written ({error})", code="storage_failed") from error

    def read(self) -> list[Decision]:
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be read ({error})", code="storage_failed") from error
        newest = {(decision.run, decision.step): decision for decision in _parse(lines)}
        return sorted(newest.values(), key=lambda decision: decision.at)

    def of_run(self, run: str) -> list[Decision]:
        """Returns the decisions of one run."""
        return [decision for decision in self.read() if decision.run == run]

    def of_release(self, release_id: str) -> list[Decision]:
        """Returns the decisions that judged or made a release, or were made while it served."""
        return [decision for decision in self.read() if decision.concerns(release_id)]


def _parse(lines: Iterable[bytes]) -> Iterable[Decision]:
    """Yields the decisions of complete lines: a kill can cut the last line of its process."""
    for line in lines:
        try:
            yield Decision.model_validate_json(line)
        except ValidationError:
            continue


TURNS = {StepOutcome.PROMOTED, StepOutcome.REFUSED, StepOutcome.ROLLED_BACK, StepOutcome.FAILED}
"""Outcomes that change what viewers get, or say why it did not change."""
EXPLAINED_BEFORE = {StepOutcome.PROMOTED, StepOutcome.ROLLED_BACK}
"""Outcomes whose reason is the decision before them: what passed a release, or what it did wrong."""


def find_reason(run: Sequence[Decision], decision: Decision) -> Decision:
    """Returns the decision of a run that says why this one was made: itself, or the one before it."""
    before = run.index(decision) - (decision.outcome in EXPLAINED_BEFORE)
    return run[max(before, 0)]


def hash_inputs(inputs: object) -> str:
    """Returns a hash of anything that JSON holds, the same in every process."""
    body = orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(body).hexdigest()[:HASH_DIGITS]


def find_failed(checks: Iterable[Check]) -> list[Check]:
    """Returns the checks that refuse a release."""
    return [check for check in checks if check.is_blocking and not check.passed]


def summarize_checks(checks: Iterable[Check]) -> str:
    """Returns one sentence: how many checks passed, or why the release is refused."""
    known = list(checks)
    if failed := find_failed(known):
        return "; ".join(check.sentence for check in failed)
    warnings = [check.sentence for check in known if not check.passed]
    passed = f"{len(known) - len(warnings)} checks passed"
    return f"{passed}; warning: {'; '.join(warnings)}" if warnings else passed
