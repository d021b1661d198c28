"""The contract suite on Elasticsearch 9 through client 9; 8.19 is locked, for servers 8 and 9."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.node import OWN_URLS
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize("server", build_kind_params("elasticsearch-9"), indirect=True)
ROOT = Path(__file__).parents[2]
PINNED = Path(__file__).with_name("elasticsearch-client-9.txt")
IN_ONE_PROCESS = """\
import sys, elasticsearch, pytest
print("client", elasticsearch.__versionstr__)
sys.exit(pytest.main(sys.argv[1:]))
"""


def run(*command: str | Path, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-5000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_the_contract_suite_passes_with_client_9(server: Server, tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    run(*pip, "--no-deps", "--require-hashes", "--target", tmp_path, "-r", PINNED)
    chosen = ("-q", "-m", "servers", "-k", "elasticsearch-own", "-p", "no:cacheprovider", "tests/contract")
    variables = {"PYTHONPATH": str(tmp_path), OWN_URLS["elasticsearch"]: server.url}
    output = run(sys.executable, "-c", IN_ONE_PROCESS, *chosen, **variables)
    assert output.startswith("client 9."), output[:100]
    assert " passed" in output
    assert "skipped" not in output
