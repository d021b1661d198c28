"""API keys: `rr_<id>_<secret>`, of which only a salted scrypt hash is kept."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Scope = Literal["read", "events", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
KEY_PATTERN = re.compile(r"rr_([0-9a-z]{8})_([A-Za-z0-9]{43})", re.ASCII)
"""The secret is 43 letters and digits: 256 bits."""
ID_LENGTH, SECRET_LENGTH = 8, 43
ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
SECRET_ALPHABET = ID_ALPHABET + ID_ALPHABET[10:].upper()
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
"""RFC 7914's interactive cost: 16 MiB and about 40 ms. Secrets are random: no dictionary finds them."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, without its secret. revoked_at: None while it is valid."""

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    salt: str
    secret_hash: str
    revoked_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Returns whether the key has this scope. `admin` includes every other."""
        return self.revoked_at is None and (scope in self.scopes or "admin" in self.scopes)


def create_key_id() -> str:
    return _draw(ID_ALPHABET, ID_LENGTH)


def create_secret() -> str:
    return _draw(SECRET_ALPHABET, SECRET_LENGTH)


def format_key(key_id: str, secret: str) -> str:
    """Returns the text that a client sends."""
    return f"rr_{key_id}_{secret}"


def parse_key(text: str) -> tuple[str, str] | None:
    """Returns id and secret; None for any other text."""
    match = KEY_PATTERN.fullmatch(text)
    return (match[1], match[2]) if match else None


def hash_secret(secret: str, salt: str) -> str:
    """Returns the scrypt hash in hexadecimal digits. The GIL is released meanwhile."""
    digest = hashlib.scrypt(
        secret.encode(), salt=bytes.fromhex(salt), n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, dklen=32
    )
    return digest.hex()


def is_secret_of(key: ApiKey, secret: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(hash_secret(secret, key.salt), key.secret_hash)


def create_salt() -> str:
    return secrets.token_hex(16)


def _draw(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
