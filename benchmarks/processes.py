"""A command as a process of its own, and the time that it and its children took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Took:
    """Seconds: on the clock, and of all cores together; what was printed."""

    wall: float
    cpu: float
    out: str


def wsc(arguments: Sequence[str], folder: Path) -> Took:
    """Run `wsc` in a folder; raises SystemExit with what it said where it fails."""
    began, before = time.perf_counter(), os.times()
    command = [sys.executable, "-m", "wsc", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    after = os.times()
    if done.returncode:
        raise SystemExit(done.stderr)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(time.perf_counter() - began, cpu, done.stdout)
