"""Ctrl-C at any time: exit code 130, one line, and nothing half written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.shell import Ran, wsc

ROOT = Path(__file__).resolve().parents[2]
MAIN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background does not inherit
sys.argv[0] = "wsc"
from wsc.cli import main
main()
"""
SLOW = """
import time
from pathlib import Path
import torch
from torch import nn

class Slow(nn.Module):
    def forward(self, x):
        Path("capturing").touch()
        time.sleep(60)
        return x + 1

def model():
    return Slow()

def example_inputs():
    return (torch.ones(2),)
"""
SAID = "Interrupted: no build folder was left half written.\n"


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_signal_in_the_middle(folder: Path) -> None:
    Path("slow.py").write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", MAIN, "compile", "slow.py", "-t", "null"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            deadline = time.monotonic() + 60
            while not Path("capturing").exists() and child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=30)
        finally:
            child.kill()
    assert (child.returncode, out, err) == (130, "", SAID)
    assert left(folder) == ["capturing", "meta.py", "mlp.py", "slow.py"]


STEPS = (
    "wsc.frontend.capture.capture",
    "wsc.commands.compile.build_of",
    "wsc.build.write_arrays",
    "wsc.build.write_manifest",
    "wsc.folder._swap",
)


@pytest.mark.parametrize("step", STEPS)
def test_an_interrupt_at_a_step_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(step, interrupt)
    assert wsc("compile", "mlp.py", "-t", "null", "-o", "some/out") == Ran(130, "", SAID)
    assert left(folder) == ["meta.py", "mlp.py"]


@pytest.mark.parametrize("step", STEPS)
def test_an_interrupt_at_a_step_leaves_the_old_build(
    build: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = (build / "manifest.json").read_text()
    with monkeypatch.context() as patch:
        patch.setattr(step, interrupt)
        assert wsc("compile", "mlp.py", "-t", "null").code == 130
    assert left(build.parent) == ["mlp"]
    assert (build / "manifest.json").read_text() == before


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt
