"""The secret behind the keys of viewers: a file of its own, which only its owner may read."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from reelrank.index_mappings.decision import hash_user
from reelrank.index_mappings.errors import BadRequest, Unavailable
from reelrank.ranking.durable import TEMPORARY_PREFIX, sync_file

SECRET_BYTES = 32
"""As long as the output of SHA-256 (RFC 2104, section 3)."""
MAX_CACHED_KEYS = 10_000


@dataclass(frozen=True)
class UserKeys:
    """Turns user ids into keys. Reads nothing before its first use, so it may be created before a fork.

    path: of the secret, which is created when it does not exist. All machines that write to one lake need
    the same file: copy it.
    """

    path: Path

    def get_key(self, user_id: str) -> str:
        """Returns the key of a viewer. Raises Unavailable or BadRequest when there is no secret to use."""
        return _hash_cached(user_id, self.secret)

    def find_key(self, user_id: str) -> str:
        """Returns the key of a viewer; empty when there is no secret to use."""
        try:
            return self.get_key(user_id)
        except (Unavailable, BadRequest):
            return ""

    @cached_property
    def secret(self) -> bytes:
        try:
            if not self.path.exists():
                _create_secret(self.path)
            return _read_secret(self.path)
        except OSError as error:
            raise Unavailable(
                f"{self.path} cannot be read or created ({error}); it holds the secret of the viewers' keys",
                code="storage_failed",
            ) from error


_hash_cached = lru_cache(MAX_CACHED_KEYS)(hash_user)


def _create_secret(path: Path) -> None:
    """Writes a new secret. Of several processes one wins, because a link never replaces a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}-{path.name}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{secrets.token_hex(SECRET_BYTES)}\n")
        sync_file(temporary)
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
        sync_file(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _read_secret(path: Path) -> bytes:
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except ValueError:
        secret = b""
    if len(secret) < SECRET_BYTES:
        raise BadRequest(
            f"{path} does not hold {SECRET_BYTES} bytes in hexadecimal; restore it from a backup: with "
            "another secret the lake takes each viewer for a new one",
            code="lake_secret_invalid",
        )
    return secret
