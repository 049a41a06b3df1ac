"""`wsc simulate --level cycle`: the cycles, and that the outputs are those of the executed program."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.shell import Ran, wsc, wsc_well
from tests.cli.test_errors import golden
from wsc.build import Build


def test_a_small_build(build: Path) -> None:
    ran = wsc_well("simulate", "--level", "cycle", columns=120)
    assert "mlp on wafer-4x4, cycle by cycle" in ran.out
    assert "latency of one input" in ran.out
    assert "equal to the executed program's" in ran.out


def test_its_cycles_are_near_those_of_the_fast_level(build: Path) -> None:
    slow = wsc_well("simulate", "--level", "cycle", "--json").json
    fast = wsc_well("simulate", "--json").json
    assert slow["level"] == "cycle"
    assert slow["equal"] is True
    assert max(slow["errors"]) <= slow["tolerances"][0]
    assert slow["cycles"] == pytest.approx(fast["latency_cycles"], rel=0.05)


def test_outputs_that_differ_are_an_error(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = Build.execute
    monkeypatch.setattr(Build, "execute", lambda *given: [array + 1 for array in execute(*given)])
    ran = wsc("simulate", "--level", "cycle")
    assert "DIFFERENT from the executed program's" in ran.out
    golden("cycle_level_differs", Ran(ran.code, "", ran.err))


def test_a_whole_wafer_is_refused(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "-t", "wse2", "-D", "width=64", "-D", "batch=64", "-o", "big")
    golden("cycle_level_of_a_wafer", wsc("simulate", "big", "--level", "cycle"))


def test_a_level_that_is_none(build: Path) -> None:
    golden("unknown_level", wsc("simulate", "--level", "slow"))


def test_a_target_without_a_cycle_level(folder: Path, compiled: Callable[[str, str], Path]) -> None:
    golden("no_cycle_level", wsc("simulate", compiled("mlp", "null"), "--level", "cycle"))
