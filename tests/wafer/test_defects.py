"""Dead cores and links: read, kept out of, gone round, and their cost said."""

from pathlib import Path

import numpy as np
import pytest

from tests.wafer.compiling import check_numbers, compile_for
from tests.wafer.models import mlp
from tests.wafer.simulate.programs import MACHINES, chain
from wsc.backends.wafer.defects import Box, Defects, keep_outs
from wsc.backends.wafer.facts import plan_facts
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.floorplan import floorplan
from wsc.compiler.errors import MachineError, SimulationError
from wsc.compiler.machine import read_machine


def damaged(tmp_path: Path, figures: str, machine: str = "wafer-16x16") -> Wafer:
    text = (MACHINES / f"{machine}.toml").read_text()
    lines = [f'{key} = {{ value = {value}, source = "chosen" }}' for key, value in figures_of(figures)]
    path = tmp_path / "hurt.toml"
    path.write_text("\n".join([text, "[defects]", *lines]) + "\n")
    return read_machine(path, Wafer)


def figures_of(text: str) -> list[tuple[str, str]]:
    return [
        (key.strip(), value.strip()) for key, _, value in (line.partition("=") for line in text.split(";"))
    ]


def boxes(cells: list[tuple[int, int]], width: int = 8, height: int = 8) -> tuple[Box, ...]:
    return keep_outs(Defects.model_construct(dead_cores=tuple(cells)), width, height)


def test_cores_that_touch_become_the_rectangle_around_them() -> None:
    assert boxes([(1, 1), (2, 2)]) == (Box(1, 1, 2, 2),)
    assert boxes([(1, 1), (3, 1)]) == (Box(1, 1, 1, 1), Box(3, 1, 3, 1))
    assert boxes([(1, 1), (2, 2), (3, 1), (5, 5)]) == (Box(1, 1, 3, 2), Box(5, 5, 5, 5))


def test_a_yield_draws_the_same_cores_every_time() -> None:
    found = keep_outs(Defects.model_construct(core_yield=0.99, seed=7), 100, 100)
    assert 60 < sum(box.cores for box in found) < 160
    assert found == keep_outs(Defects.model_construct(core_yield=0.99, seed=7), 100, 100)
    assert found != keep_outs(Defects.model_construct(core_yield=0.99, seed=8), 100, 100)


def test_kernels_keep_out_and_the_plan_says_what_it_cost(tmp_path: Path) -> None:
    machine = damaged(tmp_path, "dead_cores = [[3, 3], [12, 9]]; dead_links = [[[7, 0], [8, 0]]]")
    assert {cell for box in machine.keep_outs for cell in box.cells} == {(3, 3), (12, 9), (7, 0)}
    found = compile_for(machine, mlp(rows=32, wide=64))
    check_numbers(found)
    for kernel in found.program.kernels:
        for x, y in ((3, 3), (12, 9), (7, 0)):
            inside = kernel.x <= x < kernel.x + kernel.width and kernel.y <= y < kernel.y + kernel.height
            assert not inside, f"{kernel.name} covers ({x}, {y})"
    assert "3 cores out of use in 3 places" in dict(plan_facts(found.plan))["defects"]
    drawn = floorplan(found.program, machine, simulate(found.program, machine))
    assert drawn.dead.cores == 3
    assert np.nan_to_num(drawn.field("Links, all that leave a core").values[[3, 9, 0], [3, 12, 7]]).sum() == 0


def test_a_program_for_another_wafer_is_refused(tmp_path: Path) -> None:
    machine = damaged(tmp_path, "dead_cores = [[1, 0]]", "wafer-4x4")
    with pytest.raises(SimulationError, match=r"kernel 'k1' lies on dead cores of 'hurt' at \(1, 0\)"):
        simulate(chain("relu", "relu"), machine)


def test_host_streams_enter_and_leave_beside_dead_cores(tmp_path: Path) -> None:
    whole = simulate(chain("relu"), damaged(tmp_path, "dead_cores = []", "wafer-4x4"))
    beside = simulate(chain("relu"), damaged(tmp_path, "dead_cores = [[3, 0]]", "wafer-4x4"))
    assert beside.streams[1].hop_bytes == whole.streams[1].hop_bytes + whole.streams[1].bytes


@pytest.mark.parametrize(
    ("figures", "fault"),
    [
        ("dead_cores = [[16, 0]]", r"defects: \(16, 0\) is outside of a fabric of 16 x 16 cores"),
        ("dead_cores = [[-1, 0]]", "defects.dead_cores.0.0: Input should be greater than or equal to 0"),
        ("dead_links = [[[0, 0], [1, 1]]]", r"\(0, 0\) and \(1, 1\) are no neighbours"),
        ("core_yield = 0.9", "core_yield and seed are given together"),
        ("core_yield = 1.5; seed = 1", "defects.core_yield: Input should be less than or equal to 1"),
        (f"dead_cores = {[[5, y] for y in range(16)]}", "cut the fabric in two"),
    ],
)
def test_absurd_defects_are_refused(tmp_path: Path, figures: str, fault: str) -> None:
    with pytest.raises(MachineError, match=fault):
        damaged(tmp_path, figures)
