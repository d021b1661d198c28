"""Where the lake lies: a local directory or any URL that pyarrow.fs opens, and how files get there whole.

Layout: `<table>/date=YYYY-MM-DD/hour=HH/<writer>-<seq>.parquet`, times in UTC. Rows of an open date are in
the folder of their hour. Once a date is closed, all of its rows are written to `hour=00`: the hour of a
folder is at or before the hour of its rows. A file appears under its name only when it is complete.
"""

import json
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout
from pyarrow import fs

from reelrank.index_mappings.errors import BadRequest, Conflict, Unavailable
from reelrank.ranking.durable import LEFTOVER_AGE_S, move, sync_file

DATA_SUFFIX = ".parquet"
TEMPORARY_FOLDER = "_tmp"
"""Inside the lake, so that a rename is atomic. Names in it have no suffix, so that no glob finds them."""
OBJECT_STORES = ("s3", "gcs", "abfs")
"""An object appears there when its upload ends, whole or not at all."""
OBJECT_GRACE_S = 3600.0
"""How long replaced objects stay: readers of an object store hold names, not open files."""
LOCK_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the lake. path: below the lake. modified_s: seconds since 1970, by the file system."""

    path: str
    size: int
    modified_s: float

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


class LakeStorage:
    """The files of one lake. url: a directory or a URL such as `s3://bucket/lake`.

    lock_dir: where locks of an object store lie; all that export or compact it must share this directory.
    """

    def __init__(self, url: str, lock_dir: Path | None = None) -> None:
        self.url = url
        self.system, self.root = _open_url(url)
        self.is_local = isinstance(self.system, fs.LocalFileSystem)
        self.grace_s = 0.0 if self.is_local else OBJECT_GRACE_S
        self._lock_dir = Path(self.root, TEMPORARY_FOLDER) if self.is_local else lock_dir

    def list_files(self, folder: str = "") -> list[StoredFile]:
        """Returns all files below a folder, by path, without those that are being written."""
        selector = fs.FileSelector(self._locate(folder), recursive=True, allow_not_found=True)
        with self._translate("listed"):
            found = self.system.get_file_info(selector)
        files = [
            StoredFile(info.path[len(self.root) + 1 :], info.size, _to_seconds(info))
            for info in found
            if info.type == fs.FileType.File
        ]
        files = [file for file in files if not file.path.startswith(f"{TEMPORARY_FOLDER}/")]
        return sorted(files, key=lambda file: file.path)

    def list_folders(self, folder: str) -> list[str]:
        """Returns the names of the folders in a folder, sorted, without listing the files below them."""
        selector = fs.FileSelector(self._locate(folder), allow_not_found=True)
        with self._translate("listed"):
            found = self.system.get_file_info(selector)
        return sorted(info.base_name for info in found if info.type == fs.FileType.Directory)

    def read_json(self, path: str) -> dict[str, Any] | None:
        """Returns the content of a file; None when there is none. Raises BadRequest for a damaged one."""
        try:
            with self._translate("read"), self.system.open_input_stream(self._locate(path)) as stream:
                content = bytes(stream.read())
        except FileNotFoundError:
            return None
        try:
            document = orjson.loads(content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise BadRequest(
                f"{self.url}/{path} is damaged: it is no JSON object", code="lake_manifest_damaged"
            )
        return document

    def write_json(self, path: str, document: dict[str, Any]) -> None:
        """Replaces a file at once: readers see the old content or the new."""
        content = json.dumps(document, indent=1, sort_keys=True).encode()
        with self.replace(path) as temporary:
            temporary.write_bytes(content)

    @contextmanager
    def replace(self, path: str) -> Iterator[Path]:
        """Yields a local path to write; the file appears in the lake when the block ends, whole."""
        directory = Path(self.root, TEMPORARY_FOLDER) if self.is_local else _choose_local_directory()
        with self._translate("written"):
            directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / secrets.token_hex(12)
        try:
            yield temporary
            with self._translate("written"):
                self._publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def open_file(self, path: str) -> Any:
        """Opens a file for random access. Raises FileNotFoundError."""
        with self._translate("read"):
            return self.system.open_input_file(self._locate(path))

    def delete(self, paths: Sequence[str]) -> None:
        """Deletes files; those that are gone already do not matter."""
        for path in paths:
            with self._translate("deleted"):
                try:
                    self.system.delete_file(self._locate(path))
                except FileNotFoundError:
                    continue

    def prune_folder(self, folder: str) -> None:
        """Removes a local folder and the one above it where they are empty; object stores have no folders."""
        if self.is_local:
            for path in (Path(self._locate(folder)), Path(self._locate(folder)).parent):
                try:
                    path.rmdir()
                except OSError:
                    return

    def to_url(self, path: str) -> str:
        """Returns the full address of a file, as DuckDB and other tools take it."""
        if self.is_local:
            return self._locate(path)
        scheme = self.url.partition("://")[0]
        return f"{scheme}://{self._locate(path)}"

    def remove_leftovers(self, now_s: float, min_age_s: float = LEFTOVER_AGE_S) -> int:
        """Removes local temporaries that did not change for min_age_s; returns how many."""
        directory = Path(self.root, TEMPORARY_FOLDER) if self.is_local else _choose_local_directory()
        old = [
            path
            for path in (directory.iterdir() if directory.is_dir() else ())
            if path.suffix != ".lock" and now_s - path.stat().st_mtime > min_age_s
        ]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    @contextmanager
    def lock(self, job: str) -> Iterator[None]:
        """Holds the lock of a job on this lake. Raises Conflict when another process has it for long."""
        if self._lock_dir is None:
            raise BadRequest(f"{self.url}: {job} needs a directory for its lock", code="lake_lock_missing")
        lock = FileLock(self._lock_dir / f"{job}.lock", timeout=LOCK_WAIT_S)
        with self._translate("locked"):
            self._lock_dir.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout as error:
                raise Conflict(
                    f"another process has been running {job} on {self.url} for {LOCK_WAIT_S:.0f} s",
                    code="job_running",
                ) from error
        try:
            yield
        finally:
            lock.release()

    def _publish(self, temporary: Path, path: str) -> None:
        if self.is_local:
            target = Path(self._locate(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            sync_file(temporary)
            move(temporary, target)
        elif self.system.type_name in OBJECT_STORES:
            fs.copy_files(str(temporary), self._locate(path), fs.LocalFileSystem(), self.system)
        else:  # such as HDFS, where a reader would see a file that is being written
            staged = self._locate(f"{TEMPORARY_FOLDER}/{temporary.name}")
            for name in (staged, self._locate(path)):
                self.system.create_dir(name.rpartition("/")[0], recursive=True)
            fs.copy_files(str(temporary), staged, fs.LocalFileSystem(), self.system)
            self.system.move(staged, self._locate(path))

    def _locate(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    @contextmanager
    def _translate(self, done: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unavailable(
                f"the lake at {self.url} cannot be {done} ({error}); check the address, credentials and "
                "permissions",
                code="lake_unreachable",
            ) from error


def _open_url(url: str) -> tuple[fs.FileSystem, str]:
    try:
        if "://" not in url:
            return fs.LocalFileSystem(), str(Path(url).resolve())
        system, root = fs.FileSystem.from_uri(url)
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"REELRANK_LAKE_URL {url} cannot be opened ({error})", code="lake_unreachable"
        ) from error
    return system, root.rstrip("/")


def _choose_local_directory() -> Path:
    return Path(tempfile.gettempdir(), "reelrank-lake")


def _to_seconds(info: fs.FileInfo) -> float:
    return (info.mtime_ns or 0) / 1e9
