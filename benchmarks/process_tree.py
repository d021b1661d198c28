"""A process and all that it started, as the system sees them: processor time, memory, threads, open files."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PARENT, USER_TIME, SYSTEM_TIME = 1, 11, 12
"""Fields of /proc/PID/stat after the name of the program."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """resident_mib: memory, where what processes share counts once for each."""

    resident_mib: float
    threads: int
    files: int


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """A process and all that it started. pid: of the first."""

    pid: int

    def read_cpu_s(self) -> float:
        """Returns the processor seconds of the processes that run now, since each began."""
        stats = _read_stats()
        return sum(
            int(stats[pid][USER_TIME]) + int(stats[pid][SYSTEM_TIME]) for pid in self._list_pids(stats)
        ) / TICKS  # fmt: skip

    def read_memory_mib(self) -> float:
        """Returns the proportional set size: what is shared counts once."""
        return sum(_read_pss_kib(pid) for pid in self._list_pids(_read_stats())) / 1024

    def read_footprint(self) -> Footprint:
        """Adds up all processes; one that ends meanwhile is left out."""
        parts = list(self._read_footprints())
        memory = sum(part.resident_mib for part in parts)
        return Footprint(memory, sum(part.threads for part in parts), sum(part.files for part in parts))

    def _read_footprints(self) -> Iterator[Footprint]:
        for pid in self._list_pids(_read_stats()):
            with suppress(OSError):
                yield _read_footprint(Path(f"/proc/{pid}"))

    def _list_pids(self, stats: Mapping[int, Sequence[str]]) -> list[int]:
        pids = [pid for pid in (self.pid,) if pid in stats]
        for pid in pids:  # grows while it is read
            pids += [child for child, fields in stats.items() if int(fields[PARENT]) == pid]
        return pids


def _read_stats() -> dict[int, list[str]]:
    """Returns the fields of each process after its name, by its id."""
    found: dict[int, list[str]] = {}
    for directory in Path("/proc").iterdir():
        try:
            if directory.name.isdecimal():
                stat = (directory / "stat").read_text()
                found[int(directory.name)] = stat.rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
    return found


def _read_pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _read_footprint(directory: Path) -> Footprint:
    resident = int((directory / "statm").read_text().split()[1]) * PAGE_BYTES / 2**20
    threads, files = (len(list((directory / name).iterdir())) for name in ("task", "fd"))
    return Footprint(resident, threads, files)
