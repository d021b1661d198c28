"""Releases: an index version and a model that serve together, and the pointer to those that do.

On disk: <directory>/pointer.json and <directory>/<release id>.json. A cluster keeps the same as documents.
"""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from reelrank.index_mappings.errors import Conflict, NotFound, Unavailable
from reelrank.ranking.durable import write_file
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.rankers.manifest import describe_validation_error

POINTER_FILE = "pointer.json"
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"
LOCK_WAIT_S = 10.0


class Release(BaseModel):
    """What serves together. index_version is empty where a ranking service has no index.

    embeddings: fingerprint of what the index version has learned; empty for a version of an earlier build
    or one that nothing was learned for. config: the ranking settings it was promoted with,
    which serve unless the settings of a service state their own.
    files: the model's files and their SHA-256. reason: the command that made it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(pattern=ID_PATTERN)
    created_at: AwareDatetime
    index_version: str = ""
    model: str = Field(FusedOrder.name, pattern=ID_PATTERN)
    embeddings: str = ""
    config: dict[str, int | float] = {}
    files: dict[str, str] = {}
    reason: str = ""

    def serves_same_as(self, other: "Release") -> bool:
        """Returns whether another release has the same index version, model, embeddings and settings."""
        own, others = (
            (release.index_version, release.model, release.embeddings, release.config)
            for release in (self, other)
        )
        return own == others


class Canary(BaseModel):
    """A release that serves a share of the viewers. salt: draws them; it is the name of the experiment.

    since: when it began.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    release: Release
    share: float = Field(gt=0, lt=1)
    salt: str
    since: AwareDatetime


class Pointer(BaseModel):
    """Which release serves, and which one `rollback` returns to. counter grows by one with each change.

    canary: a release on trial with a share of the viewers; shadow: one that ranks requests beside the serving
    one, unseen. Both end when another release serves. Unknown fields are kept when the pointer is replaced:
    a later build may add some.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    counter: int = Field(ge=1)
    serving: Release
    previous: Release | None = None
    canary: Canary | None = None
    shadow: Release | None = None

    def find_release(self, version: str) -> Release:
        """Returns the release that has this index version. Falls back to the serving one.

        While a promotion moves the engine from one version to the other, each version has its own model.
        """
        named = (self.serving, self.previous)
        return next((r for r in named if r is not None and r.index_version == version), self.serving)

    def list_uses(self) -> list[tuple[str, Release]]:
        """Returns the releases that are in use, each after the word for its use; the serving one first."""
        canary = self.canary.release if self.canary else None
        named = {"serving": self.serving, "previous": self.previous, "canary": canary, "shadow": self.shadow}
        return [(use, release) for use, release in named.items() if release is not None]

    def list_versions(self) -> frozenset[str]:
        """Returns the index versions that must not be dropped."""
        return frozenset(release.index_version for _, release in self.list_uses() if release.index_version)

    def can_serve(self, release: Release) -> bool:
        """Returns whether a release can take over: one without an index version only where none serves."""
        return bool(release.index_version) or not self.serving.index_version

    def move_to(self, serving: Release, previous: Release | None) -> "Pointer":
        """Returns the pointer that replaces this one; nothing is on trial any more."""
        moved = {"serving": serving, "previous": previous, "canary": None, "shadow": None}
        return self.model_copy(update={"counter": self.counter + 1, **moved})

    def try_out(self, canary: Canary | None, shadow: Release | None) -> "Pointer":
        """Returns the pointer that replaces this one, with other releases on trial."""
        return self.model_copy(update={"counter": self.counter + 1, "canary": canary, "shadow": shadow})


class ReleaseStore(Protocol):
    """Keeps the pointer and the records of releases. Raises EngineError when it cannot be reached."""

    def read_pointer(self) -> Pointer | None:
        """Returns None before the first release."""
        ...

    def replace_pointer(self, pointer: Pointer, expected: Pointer | None) -> None:
        """Replaces the pointer in one durable write. Raises Conflict unless `expected` is still there."""
        ...

    def list_releases(self) -> list[Release]:
        """Returns releases, newest first."""
        ...

    def add(self, release: Release) -> None:
        """Keeps a record; one with the same id is replaced."""
        ...

    def remove(self, release_id: str) -> None:
        """Removes a record, if it is there."""
        ...


class FileReleases:
    """The release store of one data directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def read_pointer(self) -> Pointer | None:
        path = self.directory / POINTER_FILE
        try:
            return decode_pointer(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(
                f"{path} cannot be read ({error}); check its permissions", code="storage_failed"
            ) from error

    def replace_pointer(self, pointer: Pointer, expected: Pointer | None) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.directory / "pointer.lock", timeout=LOCK_WAIT_S)
        try:
            with lock:
                check_counter(self.read_pointer(), expected)
                self._write(POINTER_FILE, pointer)
        except Timeout as error:
            raise Conflict(
                f"another process has held {lock.lock_file} for {LOCK_WAIT_S:.0f} s; try again",
                code="lock_held",
            ) from error

    def list_releases(self) -> list[Release]:
        paths = self.directory.glob("[A-Za-z0-9]*.json")
        return sort_releases(
            decode_release(path.read_bytes(), str(path)) for path in paths if path.name != POINTER_FILE
        )

    def add(self, release: Release) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write(f"{release.id}.json", release)

    def remove(self, release_id: str) -> None:
        (self.directory / f"{release_id}.json").unlink(missing_ok=True)

    def _write(self, name: str, record: BaseModel) -> None:
        try:
            write_file(self.directory / name, record.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise Unavailable(
                f"{self.directory / name} cannot be written ({error})", code="storage_failed"
            ) from error


def check_counter(found: Pointer | None, expected: Pointer | None) -> None:
    """Raises Conflict when the pointer has changed since it was read."""
    before, now = (pointer.counter if pointer else 0 for pointer in (expected, found))
    if before != now:
        raise Conflict(
            f"another promotion has changed what serves (pointer {before} was read, "
            f"{now} is there); look with `reelrank releases list`, then try again",
            code="promotion_overtaken",
        )


def decode_pointer(body: bytes, where: str) -> Pointer:
    """Raises Unavailable, with what to do, when the text is not a pointer."""
    try:
        return Pointer.model_validate_json(body)
    except ValidationError as error:
        raise Unavailable(
            f"{where} is not a release pointer ({describe_validation_error(error)}); "
            "restore it from a backup, or remove it: the serving index version then becomes the first "
            "release",
            code="invalid_release",
        ) from error


def decode_release(body: bytes, where: str) -> Release:
    """Raises Unavailable, with what to do, when the text is not a release."""
    try:
        return Release.model_validate_json(body)
    except ValidationError as error:
        raise Unavailable(
            f"{where} is not a release ({describe_validation_error(error)}); remove it",
            code="invalid_release",
        ) from error


def create_release(created_at: datetime, **fields: Any) -> Release:
    """Creates a release under a new id, which states when it was made."""
    made = created_at.astimezone(UTC)
    return Release(id=f"release-{made:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}", created_at=made, **fields)


def find_release(releases: list[Release], release_id: str) -> Release:
    """Raises NotFound."""
    found = next((release for release in releases if release.id == release_id), None)
    if found is None:
        raise NotFound(
            f"there is no release {release_id!r}; see: reelrank releases list", code="release_not_found"
        )
    return found


def describe_state(release: Release, pointer: Pointer | None) -> str:
    """Returns what a release is used as: serving, previous, canary or shadow; empty for any other."""
    uses = pointer.list_uses() if pointer is not None else []
    return next((use for use, named in uses if named.id == release.id), "")


def sort_releases(releases: Any) -> list[Release]:
    """Returns releases, newest first."""
    return sorted(releases, key=lambda release: (release.created_at, release.id), reverse=True)
