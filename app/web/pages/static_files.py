"""Static files of the pages, at addresses that change with their content."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, send_from_directory

STATIC_DIR = Path(__file__).parents[1] / "static"


def create_static_blueprint() -> Blueprint:
    """Serves the static files, and gives templates `asset(name)`, the address of one."""
    blueprint = Blueprint("static_files", __name__)
    blueprint.add_url_rule("/static/<digest>/<name>", "static_file", _send_static_file)
    blueprint.record(lambda setup: setup.app.jinja_env.globals.update(asset=build_asset_url))
    return blueprint


@cache
def build_asset_url(name: str) -> str:
    """Builds the address of a static file. Clients may cache it for ever.

    All files share one digest, because the style sheet names its fonts by addresses relative to its own.
    """
    return f"/static/{_compute_digest()}/{name}"


@cache
def _compute_digest() -> str:
    return sha256(b"".join(file.read_bytes() for file in sorted(STATIC_DIR.iterdir()))).hexdigest()[:12]


def _send_static_file(digest: str, name: str) -> Response:
    response = send_from_directory(STATIC_DIR, name)
    is_current = digest == _compute_digest()
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_current else "no-cache"
    return response
