"""Finds the key of a request: scrypt once per key, then a bounded cache for some minutes."""

import threading
import time
from collections import OrderedDict
from hashlib import sha256
from typing import Protocol

from reelrank.app.access.api_keys import SCOPES, ApiKey, is_secret_of, parse_key
from reelrank.app.access.key_store import KeyFileError, KeyStore
from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.index_mappings.errors import CodedError

CACHE_SIZE = 1024
CACHE_S = 300.0
"""A verified key is verified again after this time, whatever happens."""
FAILURES_PER_S = 2.0
"""Wrong secrets of existing keys that are hashed: 40 ms each, so guessing costs under a tenth of a core."""
FAILURES_BURST = 10.0


class TooManyAttempts(CodedError):
    """Too many wrong secrets were sent; secrets that are not cached are refused for a moment."""

    code = "too_many_attempts"
    retry_after_s = 1


class Authenticator(Protocol):
    """Decides who sent a request."""

    def authenticate(self, text: str) -> ApiKey | None:
        """Returns the valid key that the text is; None for any other text. Raises TooManyAttempts."""
        ...

    def find(self, key_id: str) -> ApiKey | None:
        """Returns the valid key with this id, for a session that began with its secret."""
        ...


class KeyAuthenticator:
    """Knows the keys of a data directory. A change of the file is seen after at most `refresh_s`."""

    def __init__(self, store: KeyStore, refresh_s: float) -> None:
        self._store, self._refresh_s = store, refresh_s
        self._keys: dict[str, ApiKey] = {}
        self._signature: tuple[int, int, int] | None = None
        self._read_at = -float("inf")
        self._verified: OrderedDict[bytes, tuple[ApiKey, float]] = OrderedDict()
        self._failures, self._failed_at = 0.0, 0.0
        self._lock = threading.Lock()

    def authenticate(self, text: str) -> ApiKey | None:
        parsed = parse_key(text)
        key = self.find(parsed[0]) if parsed else None
        if parsed is None or key is None:
            return None
        digest, now = sha256(text.encode()).digest(), time.monotonic()
        with self._lock:
            cached = self._verified.get(digest)
            if cached is not None and cached[0] == key and cached[1] > now:
                self._verified.move_to_end(digest)
                return key
            self._check_failures(now)
        is_right = is_secret_of(key, parsed[1])
        with self._lock:
            if not is_right:
                self._failures += 1
                return None
            self._verified[digest] = (key, now + CACHE_S)
            while len(self._verified) > CACHE_SIZE:
                self._verified.popitem(last=False)
        return key

    def find(self, key_id: str) -> ApiKey | None:
        self._refresh()
        return self._keys.get(key_id)

    def _check_failures(self, now: float) -> None:
        """Lets failures leak away with time, and refuses while there are too many. Raises TooManyAttempts."""
        self._failures = max(0.0, self._failures - FAILURES_PER_S * (now - self._failed_at))
        self._failed_at = now
        if self._failures >= FAILURES_BURST:
            raise TooManyAttempts("too many wrong keys were sent; wait a second and send the right one")

    def _refresh(self) -> None:
        """Reads the file again when it changed. A file that cannot be read any more makes no key valid."""
        with self._lock:
            now = time.monotonic()
            if now - self._read_at < self._refresh_s:
                return
            self._read_at = now
            try:
                signature = self._sign_file()
                if signature != self._signature:
                    self._keys = {key.key_id: key for key in self._store.read() if key.revoked_at is None}
                    self._signature = signature
            except (OSError, KeyFileError):
                self._keys, self._signature = {}, None

    def _sign_file(self) -> tuple[int, int, int]:
        stat = self._store.path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size


class RankingKey:
    """The one key of a service in role ranking, which a setting states. It allows every call."""

    def __init__(self, text: str) -> None:
        self._digest = sha256(text.encode()).digest()
        self._key = ApiKey("ranking", "ranking", SCOPES, SYSTEM_CLOCK.now(), "", "")

    def authenticate(self, text: str) -> ApiKey | None:
        return self._key if sha256(text.encode()).digest() == self._digest else None

    def find(self, key_id: str) -> ApiKey | None:
        return None
