"""Refuses to start a service that others reach and that asks nobody for a key."""

import socket
from collections.abc import Iterable
from ipaddress import ip_address

from reelrank.app.access.key_store import KeyStore
from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.settings import Settings
from reelrank.index_mappings.errors import CodedError


class KeysMissing(CodedError):
    """The service would need keys, and none exist."""

    code = "keys_missing"


INSECURE_WARNING = (
    "warning: REELRANK_INSECURE is set: everyone who reaches {hosts} may read what viewers watched, change "
    "items and promote models"
)


def is_loopback(host: str) -> bool:
    """Returns whether only this machine reaches an address. A name counts by all of its addresses."""
    bare = host.strip("[]")
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        pass
    try:
        found = {info[4][0] for info in socket.getaddrinfo(bare, None)} if bare else set()
    except OSError:
        return False
    return bool(found) and all(ip_address(str(address).split("%")[0]).is_loopback for address in found)


def check_access(settings: Settings, hosts: Iterable[str]) -> tuple[bool, str]:
    """Returns whether calls need a key, and a warning to print. Raises KeysMissing.

    hosts: the addresses that the service listens on; empty ones are Unix sockets.
    """
    public = sorted({host for host in hosts if host and not is_loopback(host)})
    if not settings.keys_required and (not public or settings.insecure):
        return False, INSECURE_WARNING.format(hosts=", ".join(public)) if public else ""
    reason = f"{', '.join(public)} can be reached from other machines" if public else "keys are required"
    if settings.role == "ranking":
        if not settings.ranking_key.get_secret_value():
            raise KeysMissing(f"{reason}, and REELRANK_RANKING_KEY is empty: {RANKING_REMEDY}")
    elif not KeyStore(settings.keys_dir, SYSTEM_CLOCK.now).has_valid_key():
        raise KeysMissing(f"{reason}, and there are no API keys in {settings.keys_dir}: {LISTS_REMEDY}")
    return True, ""


RANKING_REMEDY = (
    "set it to the same secret here and for role candidates (`openssl rand -hex 32` makes one), listen on "
    "127.0.0.1, or set REELRANK_INSECURE=1"
)
LISTS_REMEDY = (
    "run `reelrank keys create NAME --scope read --scope events`, listen on 127.0.0.1, or set "
    "REELRANK_INSECURE=1 to let everyone do everything"
)
