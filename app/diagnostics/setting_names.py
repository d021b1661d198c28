"""Misspelt names of settings in the environment and in reelrank.env, which would be ignored."""

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from reelrank.app.settings import Settings

PREFIX = "REELRANK_"
KNOWN = tuple(f"{PREFIX}{name}".upper() for name in Settings.model_fields)
OTHER_PROGRAMS = re.compile(
    rf"{PREFIX}((.*_)?SERVICE_(HOST|PORT)(_.*)?|(.*_)?PORT_\d+_(TCP|UDP)(_.*)?|(BENCH|TEST)_.*)"
)
"""Kubernetes sets variables for a service called reelrank; benchmarks and tests have some of their own."""
ENV_LINE = re.compile(rf"^\s*(?:export\s+)?({PREFIX}\w+)\s*=", re.MULTILINE | re.IGNORECASE)


def list_unknown_settings() -> list[str]:
    """Returns a sentence for each unknown setting, with the known one whose name is nearest."""
    return [_describe(name) for name in sorted(find_unknown_names({*os.environ, *_read_file_names()}))]


def find_unknown_names(names: Iterable[str]) -> set[str]:
    """Returns the names that begin as those of settings do and name none."""
    ours = {name for name in names if name.upper().startswith(PREFIX)}
    return {name for name in ours if name.upper() not in KNOWN and not OTHER_PROGRAMS.fullmatch(name.upper())}


def _describe(name: str) -> str:
    short_names = {known.removeprefix(PREFIX): known for known in KNOWN}
    nearest = [
        short_names[match] for match in get_close_matches(name.upper().removeprefix(PREFIX), short_names, 1)
    ]
    hint = f"did you mean {nearest[0]}?" if nearest else "docs/settings.md lists the settings"
    return f"{name} is no setting and is ignored; {hint}"


def _read_file_names() -> list[str]:
    file = Path(str(Settings.model_config["env_file"]))
    return ENV_LINE.findall(file.read_text(errors="replace")) if file.is_file() else []
