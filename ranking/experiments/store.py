"""The experiments of a data directory: one JSON file each, replaced as a whole."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from reelrank.index_mappings.errors import Conflict, NotFound, Unavailable
from reelrank.ranking.durable import write_file
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.rankers.manifest import describe_validation_error

LOCK_WAIT_S = 10.0


class FileExperiments:
    """On disk: <directory>/<name>.json. now: returns the time of a change."""

    def __init__(self, directory: Path, now: Callable[[], datetime]) -> None:
        self.directory = directory
        self._now = now
        self._read: dict[str, tuple[tuple[int, int, int], Experiment]] = {}

    def list_experiments(self) -> list[Experiment]:
        """Returns all, newest first. Only files that changed since the last call are read."""
        found = [self._read_file(path) for path in self.directory.glob("[a-z0-9]*.json")]
        known = [experiment for experiment in found if experiment is not None]
        return sorted(known, key=lambda experiment: (experiment.created_at, experiment.name), reverse=True)

    def list_running(self) -> tuple[Experiment, ...]:
        """Returns those that run, in the order of their names: the same in every worker."""
        running = [experiment for experiment in self.list_experiments() if experiment.status == "running"]
        return tuple(sorted(running, key=lambda experiment: experiment.name))

    def find(self, name: str) -> Experiment:
        """Raises NotFound."""
        found = next((one for one in self.list_experiments() if one.name == name), None)
        if found is None:
            raise NotFound(
                f"there is no experiment {name!r}; see: reelrank experiments list", "experiment_not_found"
            )
        return found

    def create(self, definition: ExperimentDefinition) -> Experiment:
        """Stores a draft, in place of a draft of that name. Raises Conflict once it was started."""

        def build(known: list[Experiment]) -> Experiment:
            before = next((one for one in known if one.name == definition.name), None)
            if before is not None and before.status != "draft":
                raise Conflict(
                    f"experiment {definition.name} is {before.status}, and what was started never changes; "
                    "use another name",
                    code="experiment_started",
                )
            return Experiment(definition=definition, created_at=self._now())

        return self._change(build)

    def start(self, name: str) -> Experiment:
        """Gives viewers their arms, within a second in every worker. Raises NotFound and Conflict."""
        return self._change(lambda known: self.find(name).start(self._now(), known))

    def stop(self, name: str, reason: str = "") -> Experiment:
        """Returns all viewers to what serves; the report stays. Raises NotFound and Conflict."""
        return self._change(lambda _known: self.find(name).stop(self._now(), reason))

    def _change(self, build: Callable[[list[Experiment]], Experiment]) -> Experiment:
        """Writes what `build` returns, given all experiments; no other process changes one meanwhile."""
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.directory / "experiments.lock", timeout=LOCK_WAIT_S)
        try:
            with lock:
                changed = build(self.list_experiments())
                path = self.directory / f"{changed.name}.json"
                write_file(path, changed.model_dump_json(indent=2) + "\n")
        except Timeout as error:
            raise Conflict(
                f"another process has held {lock.lock_file} for {LOCK_WAIT_S:.0f} s; try again",
                code="lock_held",
            ) from error
        except OSError as error:
            raise Unavailable(
                f"{self.directory} cannot be written ({error})", code="storage_failed"
            ) from error
        return changed

    def _read_file(self, path: Path) -> Experiment | None:
        """Returns None for a file that was removed meanwhile. Raises Unavailable for a damaged one."""
        try:
            stat = path.stat()
            version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            known = self._read.get(path.name)
            if known is None or known[0] != version:
                known = version, Experiment.model_validate_json(path.read_bytes())
                self._read[path.name] = known
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            reason = describe_validation_error(error) if isinstance(error, ValidationError) else error
            raise Unavailable(
                f"{path} is not an experiment ({reason}); restore it from a backup, or remove it",
                code="invalid_experiment",
            ) from error
        return known[1]
