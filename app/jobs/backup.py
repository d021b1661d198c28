"""Backup of a data directory while it serves, and its restoration into an empty one.

Copied are what cannot be made again: the database of catalogue and events, models and releases, the lake, the
secrets and the API keys. Text index, segments and item tables are built again at the first start.
"""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ValidationError

from reelrank.app.engines.embedded.store.database import Database
from reelrank.app.release.lock import acquire_job_lock
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.errors import BadRequest, Conflict
from reelrank.ranking.durable import TEMPORARY_PREFIX, create_directory, write_file
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.manifest import describe_validation_error

LIST_FILE, FORMAT = "backup.json", 1
DATABASE = "engine/truth.sqlite"
FOLDERS = ("models", "releases", "keys", "reports", "loop")
LOCK_WAIT_S = 600.0
READ_BYTES = 2**20


class BackupList(BaseModel):
    """The file that lists a backup. files: by path, with their bytes and SHA-256. notes: what is missing."""

    format: Literal[1]
    files: dict[str, tuple[int, str]]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackupReport:
    """files, bytes: of the backup. notes: what is not in it."""

    files: int
    bytes: int
    notes: tuple[str, ...]


def back_up(container: Container, target: Path, progress: Progress) -> BackupReport:
    """Copies a data directory into a new directory, whole or not at all; a service may go on meanwhile.

    The lake comes first, then releases and the database under the lock of promotions: the lake never holds an
    event that the database lacks, and the release that serves names what is there. Raises Conflict when the
    target exists or a promotion takes long.
    """
    settings, notes = container.settings, list[str]()
    if target.exists() and any(target.iterdir()):
        raise Conflict(f"{target} exists already; name a new directory", code="backup_exists")
    with create_directory(target) as directory:
        notes += _copy_lake(settings, directory, progress)
        with acquire_job_lock(settings.releases_dir / "promotion.lock", LOCK_WAIT_S, "a promotion"):
            for folder in FOLDERS:
                _copy_folder(settings.data_dir / folder, directory / folder)
            notes += _copy_database(settings, directory)
        if settings.lake_key.exists():
            shutil.copy2(settings.lake_key, directory / "lake.key")
        files = dict(_describe_files(directory))
        content = {"format": FORMAT, "created_at": container.clock.now(), "notes": notes, "files": files}
        write_file(directory / LIST_FILE, orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return BackupReport(len(files), sum(size for size, _ in files.values()), tuple(notes))


def restore(settings: Settings, source: Path, progress: Progress) -> BackupReport:
    """Copies a backup into the data directory of the settings, whole or not at all.

    Raises Conflict unless that directory is empty or missing, BadRequest for a backup that is damaged.
    """
    target = settings.data_dir
    if target.exists() and any(target.iterdir()):
        raise Conflict(
            f"{target} is not empty; set REELRANK_DATA_DIR to an empty directory", code="restore_not_empty"
        )
    content = _read_list(source)
    files = content.files
    with create_directory(target) as directory:
        for number, (name, (_, digest)) in enumerate(files.items()):
            progress("restore", number, len(files))
            path, is_whole = directory / name, _is_file(source / name)
            if is_whole:
                path.parent.mkdir(parents=True, exist_ok=True)
                is_whole = _copy_file(source / name, path) == digest
            if not is_whole:
                raise BadRequest(f"{source / name} is missing or damaged", code="backup_damaged")
        progress("restore", len(files), len(files))
        for folder in ("keys", "erasures"):
            if (directory / folder).exists():
                (directory / folder).chmod(0o700)
    return BackupReport(len(files), sum(size for size, _ in files.values()), content.notes)


def _copy_lake(settings: Settings, directory: Path, progress: Progress) -> list[str]:
    """Copies a local lake while nothing is exported or compacted. Returns a note about any other."""
    if settings.lake_url:
        return [f"the lake is at {settings.lake_url}; back it up there"]
    storage = build_lake_storage(settings)
    with storage.lock("export"), storage.lock("compact"):
        files = storage.list_files()
        for number, file in enumerate(files):
            progress("copy the lake", number, len(files))
            path = directory / "lake" / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            _copy_file(Path(storage.root, file.path), path)
    return []


def _copy_database(settings: Settings, directory: Path) -> list[str]:
    """Copies the database as of one moment, without what deleted rows left."""
    if settings.engine != "embedded":
        return ["catalogue and events are on the cluster; back them up by its snapshots (docs/deployment.md)"]
    path = directory / DATABASE
    path.parent.mkdir(parents=True)
    database = Database(settings.engine_dir)
    try:
        database.connect().execute("vacuum into ?", (str(path),))
    finally:
        database.close()
    return []


def _copy_folder(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.lock", f"{TEMPORARY_PREFIX}*"))


def _describe_files(directory: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path.relative_to(directory).as_posix(), (path.stat().st_size, _hash_file(path))


def _read_list(source: Path) -> BackupList:
    try:
        content = BackupList.model_validate_json((source / LIST_FILE).read_bytes())
        names = [Path(name) for name in content.files]
        if any(name.is_absolute() or ".." in name.parts for name in names):
            raise ValueError("its list names files outside of it")
    except ValidationError as error:
        reason = describe_validation_error(error)
        raise BadRequest(f"{source} is no backup of this build ({reason})", code="backup_damaged") from error
    except (OSError, ValueError) as error:
        raise BadRequest(f"{source} is no backup ({error})", code="backup_damaged") from error
    return content


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


def _copy_file(source: Path, target: Path) -> str:
    """Copies a file; returns the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(READ_BYTES):
            digest.update(block)
            writer.write(block)
    shutil.copystat(source, target)
    return digest.hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
