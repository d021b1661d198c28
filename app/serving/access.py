"""Builds the rules of access from the settings, and decides at the start whether calls need keys."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from reelrank.app.access.audit_log import AuditLog
from reelrank.app.access.authenticator import KeyAuthenticator, RankingKey
from reelrank.app.access.key_limits import KeyLimits
from reelrank.app.access.key_store import KeyStore
from reelrank.app.access.start_check import KeysMissing, check_access, is_loopback
from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.settings import Settings
from reelrank.app.web.access.rules import AccessRules

REQUIRED_VARIABLE = "REELRANK_KEYS_REQUIRED"
USAGE_EXIT_CODE = 2


def require_keys(settings: Settings, hosts: Iterable[str]) -> None:
    """Tells the workers, which start later, whether calls need keys. Ends the process where none exist."""
    try:
        is_required, warning = check_access(settings, hosts)
    except KeysMissing as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  # gunicorn has no log yet
        sys.exit(USAGE_EXIT_CODE)
    os.environ[REQUIRED_VARIABLE] = "1" if is_required else "0"
    if warning:
        print(warning, file=sys.stderr)  # noqa: T201


def build_access_rules(settings: Settings) -> AccessRules:
    """Builds the rules of roles all and candidates."""
    store = KeyStore(settings.keys_dir, SYSTEM_CLOCK.now)
    keys = KeyAuthenticator(store, settings.refresh_ms / 1000) if settings.keys_required else None
    audit = AuditLog(settings.keys_dir, SYSTEM_CLOCK.now) if keys else None
    hosts = list_hosts(settings)
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")  # the directory that the workers share
    limits = KeyLimits(
        settings.key_requests_per_s, settings.key_events_per_s, Path(shared) if shared else None
    )
    return AccessRules(
        keys,
        hosts,
        frozenset(settings.cors_origins),
        store.read_session_secret(),
        audit,
        SYSTEM_CLOCK.now,
        limits if keys else None,
    )


def build_ranking_rules(settings: Settings) -> AccessRules:
    """Builds the rules of role ranking: its own key, on loopback too where a setting states one."""
    secret = settings.ranking_key.get_secret_value()
    return AccessRules(RankingKey(secret) if secret else None, list_hosts(settings))


def list_hosts(settings: Settings) -> frozenset[str]:
    """Returns the names by which clients without a key may call the service."""
    own = {settings.host.lower()} if is_loopback(settings.host) else set()
    return frozenset(settings.hosts) | own
