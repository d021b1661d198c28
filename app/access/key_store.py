"""The file of API keys: `keys.json` in a directory that its owner alone may open."""

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from reelrank.app.access.api_keys import (
    ApiKey,
    Scope,
    create_key_id,
    create_salt,
    create_secret,
    format_key,
    hash_secret,
)
from reelrank.index_mappings.errors import CodedError
from reelrank.ranking.durable import replace_file

KEYS_FILE, SESSION_FILE, LOCK_FILE = "keys.json", "session.secret", "keys.lock"
DIRECTORY_MODE, FILE_MODE = 0o700, 0o600
LOCK_TIMEOUT_S = 10.0
SESSION_SECRET_BYTES = 32
KEYS = TypeAdapter(list[ApiKey])


class KeyFileError(CodedError):
    """The file of keys cannot be read or written."""

    code = "key_file_unusable"


class KeyNotFound(CodedError):
    """No valid key has this id."""

    code = "key_not_found"


class KeyStore:
    """Reads and changes the keys of one data directory. `now` dates them."""

    def __init__(self, directory: Path, now: Callable[[], datetime]) -> None:
        self.directory = directory
        self.path = directory / KEYS_FILE
        self._now = now
        self._lock = FileLock(directory / LOCK_FILE, timeout=LOCK_TIMEOUT_S, mode=FILE_MODE)

    def read(self) -> list[ApiKey]:
        """Reads all keys, the revoked ones too; none without a file. Raises KeyFileError."""
        try:
            return KEYS.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise KeyFileError(f"{self.path}: {error.strerror}") from error
        except ValidationError as error:  # its message would quote the hashes
            raise KeyFileError(f"{self.path} is damaged: {error.error_count()} values are invalid") from None

    def has_valid_key(self) -> bool:
        return any(key.revoked_at is None for key in self.read())

    def create(self, name: str, scopes: Sequence[Scope]) -> tuple[ApiKey, str]:
        """Adds a key. Returns it and the text for its owner, which is kept nowhere."""
        key_id, secret, salt = create_key_id(), create_secret(), create_salt()
        key = ApiKey(key_id, name, tuple(scopes), self._now(), salt, hash_secret(secret, salt))
        with self._open_for_change():
            self._write([*self.read(), key])
        return key, format_key(key_id, secret)

    def revoke(self, key_id: str) -> ApiKey:
        """Ends a key. Its name stays listed. Raises KeyNotFound."""
        return self._replace(
            key_id, lambda key: replace(key, salt="", secret_hash="", revoked_at=self._now())
        )

    def rotate(self, key_id: str) -> tuple[ApiKey, str]:
        """Gives a key a new secret; the old one ends at once. Raises KeyNotFound."""
        secret, salt = create_secret(), create_salt()
        secret_hash = hash_secret(secret, salt)
        key = self._replace(key_id, lambda key: replace(key, salt=salt, secret_hash=secret_hash))
        return key, format_key(key_id, secret)

    def read_session_secret(self) -> bytes:
        """Reads the secret that signs cookies; the first process makes it. Raises KeyFileError."""
        path = self.directory / SESSION_FILE
        with suppress(FileNotFoundError):
            return path.read_bytes()
        with self._open_for_change():
            if not path.exists():
                _write_private(path, secrets.token_bytes(SESSION_SECRET_BYTES))
            return path.read_bytes()

    def _replace(self, key_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        with self._open_for_change():
            keys = self.read()
            index = next(
                (i for i, key in enumerate(keys) if key.key_id == key_id and not key.revoked_at), None
            )
            if index is None:
                raise KeyNotFound(f"no valid key has the id {key_id[:40]!r}; `reelrank keys list` shows them")
            keys[index] = change(keys[index])
            self._write(keys)
            return keys[index]

    def _write(self, keys: list[ApiKey]) -> None:
        _write_private(self.path, orjson.dumps(keys, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def _open_for_change(self) -> Any:
        """Returns the lock of the directory, which is made when it is missing. Raises KeyFileError."""
        try:
            self.directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            return self._lock.acquire()
        except OSError as error:  # filelock's Timeout is one, too
            raise KeyFileError(f"{self.directory}: {error.strerror or error}") from error


def _write_private(path: Path, content: bytes) -> None:
    """Replaces a file that only its owner may read, at no moment anyone else."""
    try:
        with replace_file(path) as temporary:
            temporary.touch(mode=FILE_MODE)
            temporary.write_bytes(content)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror or error}") from error
