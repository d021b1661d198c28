"""What is never shown: paths of the machine in answers, and ids of viewers in logs."""

import re
from pathlib import Path

from flask import Flask, Response

SHOWN = b"the data directory"
VIEWER = re.compile(r"(?si)(?<=/)(users?)/.+")
"""A path that names a viewer, also one that is misspelt and so has no route."""
TEXT_TYPES = frozenset({"application/json", "application/problem+json", "text/html"})


def hide_directory(app: Flask, directory: Path) -> None:
    """Replaces the directory's path in every answer that is text."""
    hidden = {str(path).encode() for path in (directory, directory.absolute(), directory.resolve())} - {b"."}
    paths = sorted(hidden, key=len, reverse=True)

    @app.after_request
    def hide(response: Response) -> Response:
        if response.mimetype not in TEXT_TYPES or response.direct_passthrough:
            return response
        body = response.get_data()
        if any(path in body for path in paths):
            for path in paths:
                body = body.replace(path, SHOWN)
            response.set_data(body)
        return response


def mask_viewer(path: str) -> str:
    """Returns the path of a request for a log, without the id of a viewer."""
    return VIEWER.sub(r"\1/{user_id}", path)
