"""What users install: a wheel that works outside the checkout, completion, and a reference that says what help says."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import draw_folder

from metagan_cli.cli.reference import markdown

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 75_000_000  # bytes of a wheel, of which models are most
IMPORTED = 0.5  # seconds that the package may take to import, and so --help to come


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True, capture_output=True)
    return folder


def installed(wheel: Path, place: Path) -> dict[str, str]:
    """The environment in which the content of a wheel is what Python finds, whatever else is installed."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}


def metagan(*arguments: object, cwd: Path, env: dict[str, str]) -> str:
    command = [sys.executable, "-m", "metagan_cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_wheel_works_outside_the_checkout(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.stat().st_size < LARGEST
    env = installed(wheel, tmp_path / "site")
    draw_folder(tmp_path / "animals" / "cat", 3, size=32)
    where = [sys.executable, "-c", "import metagan_cli; print(metagan_cli.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=env, capture_output=True, text=True).stdout
    assert Path(found.strip()).is_relative_to(tmp_path / "site")
    models = metagan("models", cwd=tmp_path, env=env)
    assert "glyph" in models
    assert "picture" in models
    assert "home" in metagan("motifs", "home", cwd=tmp_path, env=env)
    metagan("augment", "animals", "-o", "more", "-n", 2, cwd=tmp_path, env=env)  # with the model
    metagan("view", "more", cwd=tmp_path, env=env)  # with the page
    assert "<html" in (tmp_path / "view.html").read_text()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "metagan_cli/workflows/evaluate/report.html" in names
    assert "metagan_cli/py.typed" in names
    assert not [name for name in names if not name.startswith(("metagan_cli/", "metagan-"))]


@pytest.mark.slow
def test_an_sdist_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
        names = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"tests", "docs", "recipes", "examples", "LICENSE", "README.md"} <= names
    assert not names & {"runs", "data", ".venv", "dist"}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "again")]
    subprocess.run(command, cwd=tmp_path / sdist.name.removesuffix(".tar.gz"), check=True, capture_output=True)
    (again,) = (tmp_path / "again").glob("*.whl")
    contents = []
    for path in (wheel, again):
        with zipfile.ZipFile(path) as archive:
            contents.append({entry.filename: entry.CRC for entry in archive.infolist()})
    assert contents[0] == contents[1]


def test_the_reference_is_what_help_says() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == markdown()  # make reference


@pytest.mark.parametrize(("words", "wanted"), [("metagan aug", "augment"), ("metagan sample --mot", "--motifs")])
def test_shells_complete_commands_and_options(words: str, wanted: str, tmp_path: Path) -> None:
    asked = {"_METAGAN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    script = "from metagan_cli.cli.main import main; import sys; sys.argv = ['metagan']; main()"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=os.environ | asked, capture_output=True, text=True)
    assert done.stdout.split() == [wanted]


def test_importing_takes_no_time(tmp_path: Path) -> None:
    script = "import time; a = time.perf_counter(); import metagan_cli, metagan_cli.cli.main; print(time.perf_counter() - a)"
    runs = [subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < IMPORTED
