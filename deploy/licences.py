"""`python -m deploy.licences sbom.json`: lists the licences of a CycloneDX file, as `make licences` does."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

UNKNOWN = "not stated"
LONGEST = 60
"""Characters of a licence: some packages state its whole text in place of its name."""


def list_licences(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Returns name, version and licences of each component, by name."""
    rows = [
        (part["name"], part.get("version", ""), " or ".join(_read_licences(part)) or UNKNOWN)
        for part in document.get("components", ())
    ]
    return sorted(rows, key=lambda row: row[0].lower())


def _read_licences(component: Mapping[str, Any]) -> Iterator[str]:
    """Yields each licence once: an SPDX expression, an id, or a name."""
    seen = set[str]()
    for entry in component.get("licenses", ()):
        stated = entry.get("license", {})
        text = str(entry.get("expression") or stated.get("id") or stated.get("name") or "")
        name = text.strip().splitlines()[0][:LONGEST] if text.strip() else ""
        if name and name not in seen:
            seen.add(name)
            yield name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sbom", type=Path)
    parser.add_argument("--count", action="store_true", help="print the number of packages only")
    options = parser.parse_args()
    rows = list_licences(json.loads(options.sbom.read_text()))
    lines = [f"{name:<28} {version:<18} {licences}\n" for name, version, licences in rows]
    sys.stdout.write(f"{len(rows)}\n" if options.count else "".join(lines))


if __name__ == "__main__":
    main()
