"""Answers never hold a path of the machine: messages of failed files name them for the log and the shell."""

from pathlib import Path

from flask import Flask, Response

SHOWN = b"the data directory"
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
