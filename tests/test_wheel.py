"""What setuptools and mypy make of the links: the wheel holds wsc/ alone, and a type error shows once."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("compiler", "frontend", "placement", "simulation", "reports", "backends")
TOP_FILES = ("pyproject.toml", "README.md", "LICENSE")

pytestmark = pytest.mark.slow


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what is built: the rooms, the links to them, and the files that describe the project."""
    copy = tmp_path / "tree"
    for folder in (*ROOMS, "wsc"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=ignore)
    for name in TOP_FILES:
        shutil.copy(ROOT / name, copy)
    return copy


def keep_only_packages(tree: Path) -> None:
    """Leave nothing of the rooms but their own `__init__.py`, and these empty."""
    for room in ROOMS:
        shutil.rmtree(tree / room)
        (tree / room).mkdir()
        (tree / room / "__init__.py").touch()


def run(*command: str, cwd: Path) -> str:
    """What a module run by this Python prints; the caller judges it."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(tree: Path, tmp_path: Path) -> None:
    said = run("build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), cwd=tree)
    wheels = list(tmp_path.glob("*.whl"))
    assert len(wheels) == 1, said
    with zipfile.ZipFile(wheels[0]) as wheel:
        held = {PurePosixPath(name) for name in wheel.namelist()}
    ours = {path for path in held if not path.parts[0].endswith(".dist-info")}
    rooms = {
        PurePosixPath("wsc", path.relative_to(tree)) for room in ROOMS for path in (tree / room).rglob("*")
    }
    own = (path for path in (tree / "wsc").iterdir() if not path.is_symlink())
    files = (file for path in own for file in (path.rglob("*") if path.is_dir() else (path,)))
    front = {
        PurePosixPath("wsc", file.relative_to(tree / "wsc"))
        for file in files
        if "__pycache__" not in file.parts
    }
    expected = {path for path in rooms | front if path.suffix not in {"", ".md"}}
    assert sorted(ours) == sorted(expected)


def test_a_type_error_across_two_folders_is_reported_once(tree: Path) -> None:
    keep_only_packages(tree)  # the links are what this is about; the whole project is checked elsewhere
    (tree / "compiler" / "planted.py").write_text("def width() -> int:\n    return 1\n")
    (tree / "reports" / "planted.py").write_text(
        "from wsc.compiler.planted import width\n\ntitle: str = width()\n"
    )
    errors = [line for line in run("mypy", cwd=tree).splitlines() if "planted" in line]
    assert len(errors) == 1, errors
    assert errors[0].startswith("wsc/reports/planted.py:3: error: Incompatible types in assignment")
