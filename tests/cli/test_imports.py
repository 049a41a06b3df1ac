"""`wsc --help` answers at once: nothing heavy is imported before a command needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "ortools", "matplotlib", "numpy", "networkx", "simpy", "scipy", "numba", "rich.console"}


def imported(script: str) -> set[str]:
    """What a fresh Python has imported after a script."""
    end = "import sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\n{end}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def command(*arguments: str) -> str:
    return f"from wsc.cli import app\napp({arguments!r}, standalone_mode=False)"


@pytest.mark.parametrize(
    "script",
    [
        "import wsc, wsc.cli",
        "from wsc import WscError",
        command("--help"),
        command("inspect", "--help"),
        command("--version"),
    ],
)
def test_nothing_heavy(script: str) -> None:
    assert HEAVY & imported(script) == set()


def test_listing_the_targets_imports_no_torch() -> None:
    assert {"torch", "matplotlib"} & imported(command("targets")) == set()


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wsc", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("wsc ")
