"""Opens the page once the service is ready: `python -m reelrank.app.diagnostics.open_browser URL`."""

import os
import sys
import time
import webbrowser

from reelrank.app.diagnostics.smoke_test import READY_TIMEOUT_S, is_ready


def has_display() -> bool:
    """Returns whether a browser window would be visible: not over ssh, and not without a terminal."""
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"
    return bool(display) and sys.stdout.isatty() and "SSH_CONNECTION" not in os.environ


def open_when_ready(url: str) -> None:
    """Opens the page once the service is ready; gives up when it does not become ready."""
    until = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until:
        if is_ready(url):
            webbrowser.open(url)
            return
        time.sleep(0.2)


if __name__ == "__main__":
    open_when_ready(sys.argv[1])
