"""The state of a run of the loop: one small file, replaced after each step.

A step is (1) done, (2) recorded in the history, (3) completed by replacing this file. A process killed
in between does the step again, so each step finds what it did before.
"""

from enum import StrEnum
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from reelrank.index_mappings.errors import Unavailable
from reelrank.ranking.durable import write_file
from reelrank.ranking.rankers.manifest import describe_validation_error

STATE_FILE = "state.json"


class Step(StrEnum):
    """The steps of a run, in their order. IDLE: no run is under way."""

    IDLE = "idle"
    EXPORT = "export"
    LABEL = "label"
    BUILD = "build"
    GATE = "gate"
    SHADOW = "shadow"
    CANARY = "canary"
    PROMOTE = "promote"
    WATCH = "watch"
    ROLL_BACK = "roll back"


class LoopState(BaseModel):
    """Where a run is. release: the candidate; baseline: what served when it was built; both may be empty.

    since: when the present step began, for steps that wait for traffic. learned: hash of what the last
    finished run has read; read: of what this run has read; measured: of what the operator pages show.
    learned_until_ms: the newest page of the last run; read_until_ms: of this one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: str = ""
    step: Step = Step.IDLE
    since: AwareDatetime | None = None
    release: str = ""
    baseline: str = ""
    read: str = ""
    learned: str = ""
    measured: str = ""
    learned_until_ms: int = 0
    read_until_ms: int = 0

    def move_to(self, step: Step, **changes: object) -> "LoopState":
        """Returns the state in which the next step begins; it has not waited yet."""
        return self.model_copy(update={"step": step, "since": None, **changes})

    def finish(self) -> "LoopState":
        """Returns the state after a run: what it has read is learned."""
        until_ms = max(self.read_until_ms, self.learned_until_ms)
        return LoopState(learned=self.read or self.learned, measured=self.measured, learned_until_ms=until_ms)

    def abandon(self) -> "LoopState":
        """Returns the state after a run that failed, or that was too early: the next one reads the same."""
        return LoopState(learned=self.learned, measured=self.measured, learned_until_ms=self.learned_until_ms)


class StateFile:
    """The state of the loop in one data directory."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / STATE_FILE

    def read(self) -> LoopState:
        try:
            return LoopState.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return LoopState()
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be read ({error})", code="storage_failed") from error
        except ValidationError as error:
            raise Unavailable(
                f"{self.path} is not a state of the loop ({describe_validation_error(error)}); remove it: "
                "the next run begins anew",
                code="invalid_loop_state",
            ) from error

    def write(self, state: LoopState) -> None:
        try:
            write_file(self.path, state.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be written ({error})", code="storage_failed") from error
