"""From a module to a build folder and back, with integers in between."""

from pathlib import Path

import wsc
from tests.cim.models import mlp
from tests.cli.shell import wsc as command


def test_a_build_of_integers_runs(tmp_path: Path) -> None:
    module, inputs = mlp(12, 8, 4)
    folder = wsc.compile(module, inputs, target="isaac", dtype="int8", name="mlp").save(tmp_path / "build")
    ran = command("run", folder)
    assert ran.code == 0, ran.err
    assert "equal to the reference interpreter's" in ran.out
    assert "quantisation moves the outputs by" in ran.out
