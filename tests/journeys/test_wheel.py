"""The wheel, installed and used in a folder whose modules have the names of those of reelrank."""

import os
import shutil
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import orjson
import pytest

from tests.consistency.test_packages import ROOT, ROOT_PACKAGES
from tests.journeys.test_own_data import FILMS, WATCHES, write_own_data
from tests.running_service import ServiceProcess, find_free_port, wait_for_status

pytestmark = pytest.mark.slow
OWN_FOLDERS = ("app", "index_mappings", "loaders", "ranking", "reelrank", "reelrank/app", "gunicorn", "flask")


def list_files(folder: Path) -> list[str]:
    return [
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools would add what an earlier build left in the tree."""
    source = tmp_path_factory.mktemp("source")
    for folder in ROOT_PACKAGES:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "reelrank_command.py"):
        shutil.copy(ROOT / name, source)
    run_pip("wheel", "--no-build-isolation", "--wheel-dir", str(source / "dist"), str(source))
    (built,) = (source / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `reelrank` command of an environment that has the wheel, and sees this one's libraries."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    run_pip("--python", str(python), "install", str(wheel))
    (packages,) = environment.glob("lib/python*/site-packages")
    libraries = [entry for entry in sys.path if entry.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries) + "\n")
    return environment / "bin" / "reelrank"


def run_pip(*arguments: str) -> None:
    *options, last = arguments
    common = ("--disable-pip-version-check", "--quiet")
    python = [sys.executable, "-m", "pip", *common]
    subprocess.run([*python, *options, "--no-deps", "--no-index", last], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder: data, and code of their own that must not be imported."""
    for name in OWN_FOLDERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported the code of the user')\n")
    write_own_data(tmp_path)
    return tmp_path


def build_environment(folder: Path, port: int) -> dict[str, str]:
    own = {"PYTHONPATH": ".", "OMP_NUM_THREADS": "1"}
    settings = {"DATA_DIR": str(folder / "data"), "PORT": str(port), "WORKERS": "1", "DEADLINE_MS": "5000"}
    return os.environ | own | {f"REELRANK_{name}": value for name, value in settings.items()}


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    expected = [f"reelrank/{name}" for folder in ROOT_PACKAGES for name in list_files(ROOT / folder)]
    found = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert sorted(found) == sorted([*expected, "reelrank_command.py"])


def test_the_wheel_works_beside_modules_of_the_same_names(command: Path, folder: Path) -> None:
    port = find_free_port()
    environment = build_environment(folder, port)

    def run(*arguments: str) -> dict[str, object]:
        done = subprocess.run(
            [command, *arguments, "--json"], cwd=folder, env=environment, capture_output=True, text=True,
            timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answer: dict[str, object] = orjson.loads(done.stdout)
        return answer

    assert run("load", "items", "films.csv")["kept"] == FILMS
    assert run("load", "events", "events.jsonl")["kept"] == WATCHES
    model = run("train")["model"]
    assert run("search", "space story")["model"] == model
    log = folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [command, "serve"], cwd=folder, env=environment, stdout=output, stderr=output
        )
    service = ServiceProcess(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_for_status(service, "/readyz")
        assert service.get("/v1/search?q=space+story").json["model"] == model
        page = service.get("/?user=u2")
        assert (page.status, b"story" in page.body) == (200, True)
    finally:
        assert service.stop(signal.SIGTERM) == 0
    assert "imported the code" not in log.read_text()
