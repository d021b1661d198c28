"""The rules of access that one application applies."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from reelrank.app.access.audit_log import AuditLog
from reelrank.app.access.authenticator import Authenticator
from reelrank.app.access.key_limits import KeyLimits
from reelrank.app.clock import SYSTEM_CLOCK


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What `protect` applies to every request.

    authenticator: None when calls need no key. hosts: names that clients without a key may call the service
    by; `*` is any. cors_origins: sites whose scripts may call the API. session_secret: signs the cookies of
    pages; the same in all workers. audit: where calls with the scope `admin` are recorded. limits: of what
    each key sends.
    """

    authenticator: Authenticator | None = None
    hosts: frozenset[str] = frozenset()
    cors_origins: frozenset[str] = frozenset()
    session_secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    audit: AuditLog | None = None
    now: Callable[[], datetime] = SYSTEM_CLOCK.now
    limits: KeyLimits | None = None


LOCAL_RULES = AccessRules()
"""Of a service on loopback: no keys, and no other names than localhost and IP addresses."""
