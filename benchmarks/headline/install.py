"""Makes the default install in an environment of its own, by the Makefile, as `make run` does."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSION_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Install:
    """The environment of a default install. home: its folder."""

    home: Path

    @property
    def command(self) -> str:
        """Returns the path of the command `reelrank`."""
        return str(self.home / "bin" / "reelrank")

    def measure_version_s(self) -> float:
        """Returns how long `reelrank --version` takes: the shortest of some, in seconds."""
        return min(self._time_version() for _ in range(VERSION_ROUNDS))

    def _time_version(self) -> float:
        began = time.perf_counter()
        subprocess.run([self.command, "--version"], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


def make_install(directory: Path) -> Install:
    """Installs what requirements.lock pins, and this checkout. Raises CalledProcessError."""
    home = directory / "environment"
    # The folder's own name for its environment would make the checkout's up to date.
    subprocess.run(["make", "-s", "-C", str(ROOT), f"VENV={home}", f"{home}/run"], check=True)
    return Install(home)
