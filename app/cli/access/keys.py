"""Commands about API keys. A secret is shown once, when it is made."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from reelrank.app.access.api_keys import SCOPES, ApiKey
from reelrank.app.access.audit_log import COMMAND_LINE, AuditLog
from reelrank.app.access.key_store import KeyStore
from reelrank.app.cli.console import AsJson, fail, print_json, print_plain
from reelrank.app.cli.tables.layout import Grid, print_grid
from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.settings import Settings

app = typer.Typer(
    rich_markup_mode="markdown", no_args_is_help=True, help="API keys, and what was done with them."
)
ScopeName = StrEnum("ScopeName", list(SCOPES))  # type: ignore[misc]  # typer has no lists of literals
KeyId = Annotated[str, typer.Argument(help="The id: the eight characters after `rr_`.")]
Scopes = Annotated[
    list[ScopeName], typer.Option("--scope", help=f"What the key may do: {', '.join(SCOPES)}; repeat it.")
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many of the latest calls.")]


@app.command(epilog="Example: `reelrank keys create shop-window --scope read --scope events`")
def create(
    name: Annotated[str, typer.Argument(help="Who uses the key.")], scope: Scopes, as_json: AsJson = False
) -> None:
    """Create a key and show it. A running service accepts it within a second."""
    if not (name := name.strip()) or not name.isprintable():
        fail("the name of a key needs a visible character, and no line break", "invalid_usage")
    key, text = _open_store().create(name[:100], [name for name in SCOPES if name in scope])
    _record(f"keys create {key.key_id}")
    _print_secret(key, text, as_json)


@app.command(epilog="Example: `reelrank keys rotate 3k9d0m2q`")
def rotate(key_id: KeyId, as_json: AsJson = False) -> None:
    """Give a key a new secret and show it. The old one ends within a second."""
    key, text = _open_store().rotate(key_id)
    _record(f"keys rotate {key.key_id}")
    _print_secret(key, text, as_json)


@app.command(epilog="Example: `reelrank keys revoke 3k9d0m2q`")
def revoke(key_id: KeyId, as_json: AsJson = False) -> None:
    """End a key and the sessions that began with it, within a second."""
    key = _open_store().revoke(key_id)
    _record(f"keys revoke {key.key_id}")
    print_json(_describe(key)) if as_json else print_plain(f"{key.key_id} ({key.name}) is revoked")


@app.command("list", epilog="Example: `reelrank keys list --json`")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    keys = _open_store().read()
    if as_json:
        print_json([_describe(key) for key in keys])
        return
    rows = [
        (
            key.key_id,
            key.name,
            ", ".join(key.scopes),
            f"{key.created_at:%Y-%m-%d %H:%M}",
            _describe_state(key),
        )
        for key in keys
    ]
    print_grid(Grid(("key", "name", "scopes", "created", "state"), rows), wide=True)


@app.command(epilog="Example: `reelrank keys audit --limit 20`")
def audit(limit: Limit = 50, as_json: AsJson = False) -> None:
    """List the latest calls that need the scope `admin`, and changes of keys; the newest first."""
    entries = AuditLog(Settings().keys_dir, SYSTEM_CLOCK.now).read(limit)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    rows = [
        (
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.key_id,
            entry.call,
            entry.result,
            entry.client,
            entry.request_id,
        )
        for entry in entries
    ]
    print_grid(Grid(("at", "key", "call", "result", "client", "request id"), rows), wide=True)


def _open_store() -> KeyStore:
    return KeyStore(Settings().keys_dir, SYSTEM_CLOCK.now)


def _record(call: str) -> None:
    AuditLog(Settings().keys_dir, SYSTEM_CLOCK.now).record(COMMAND_LINE, call, "done")


def _print_secret(key: ApiKey, text: str, as_json: bool) -> None:
    if as_json:
        print_json({**_describe(key), "secret": text})
        return
    print_plain(text)
    print_plain(f"This is the only time that the key {key.key_id} is shown. Scopes: {', '.join(key.scopes)}.")


def _describe(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.key_id,
        "name": key.name,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }


def _describe_state(key: ApiKey) -> str:
    return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "valid"
