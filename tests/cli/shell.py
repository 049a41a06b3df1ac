"""What the tests of the command line share: a way to call it, and models to call it with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from wsc.cli import app

MLP = """
import torch
from torch import nn

def model(width=8, depth=2):
    return nn.Sequential(*(nn.Linear(width, width) for _ in range(depth)))

def example_inputs(width=8, batch=2):
    return (torch.ones(batch, width),)
"""

META = """
import torch
from torch import nn

def model():
    with torch.device("meta"):
        return nn.Linear(4, 4)

def example_inputs():
    return (torch.ones(2, 4, device="meta"),)
"""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def wsc(*arguments: str | Path, columns: int = 80, environment: Mapping[str, str] | None = None) -> Ran:
    """Run a command in this process, without a terminal."""
    runner = CliRunner(env={"COLUMNS": str(columns), **(environment or {})})
    result = runner.invoke(app, [str(argument) for argument in arguments], prog_name="wsc")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def wsc_well(*arguments: str | Path, columns: int = 80) -> Ran:
    """Run a command that must succeed, and say nothing on standard error."""
    ran = wsc(*arguments, columns=columns)
    assert (ran.code, ran.err) == (0, ""), ran
    return ran
