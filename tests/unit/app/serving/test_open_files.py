"""The limit of open files: raised as far as it may be, said at the start, an error where it is hopeless."""

import resource
import subprocess
import sys

import pytest

from reelrank.app.serving.open_files import CONNECTIONS, count_own_files, fit_connections, report_few_files

THREADS = 4
OWN = count_own_files(THREADS)


def fit_in_child(soft: int, hard: int) -> tuple[int, int, str]:
    """Returns connections, the soft limit then, and the warning, in a process with these limits."""
    code = (
        "import resource; from reelrank.app.serving.open_files import fit_connections;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        f"fitted = fit_connections({THREADS});"
        "print(fitted[0], resource.getrlimit(resource.RLIMIT_NOFILE)[0], fitted[1])"
    )
    done = subprocess.run((sys.executable, "-P", "-c", code), capture_output=True, text=True, check=True)
    connections, limit, warning = done.stdout.rstrip("\n").split(" ", 2)
    return int(connections), int(limit), warning


def test_a_low_soft_limit_is_raised_when_the_hard_one_allows_it() -> None:
    assert fit_in_child(256, 4096) == (CONNECTIONS, OWN + CONNECTIONS, "")


def test_a_low_hard_limit_leaves_fewer_connections_and_is_said() -> None:
    connections, limit, warning = fit_in_child(256, OWN + 100)
    assert (connections, limit) == (100, OWN + 100)
    assert "at most 100 connections" in warning
    assert str(OWN + CONNECTIONS) in warning


def test_a_limit_below_what_a_worker_needs_ends_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    report_few_files(CONNECTIONS, "")
    report_few_files(100, "few")
    with pytest.raises(SystemExit):
        report_few_files(5, "hopeless")
    assert capsys.readouterr().err == "warning: few\nerror: hopeless\n"


def test_a_sufficient_limit_stays_as_it_is() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[0] >= OWN + CONNECTIONS or before[0] == resource.RLIM_INFINITY:
        assert fit_connections(THREADS) == (CONNECTIONS, "")
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
