"""Spare cores stand in for dead ones: which, what it costs to the cycle; a wafer with many dead cores compiles."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wafer.compiling import check_numbers, compile_for
from tests.wafer.models import mlp
from tests.wafer.simulate.cycle.programs import arrays
from tests.wafer.simulate.programs import chain
from tests.wafer.test_defects import damaged
from wsc.backends.wafer.facts import plan_facts
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.cycle import simulate_cycles
from wsc.backends.wafer.spares import repair
from wsc.compiler.errors import AlgorithmError, MachineError


def dead(
    *cells: tuple[int, int], shape: tuple[int, int] = (4, 6)
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    found = np.zeros(shape, np.bool_)
    for x, y in cells:
        found[y, x] = True
    return found


def test_a_row_skips_its_dead_cores_and_the_next_row_is_reached_aside() -> None:
    found = repair(dead((1, 0), (3, 0), (0, 2)), 4)
    assert found.aside.tolist() == [[0, 1, 2, 2], [0] * 4, [1] * 4, [0] * 4]
    assert not found.dead.any()
    assert (found.spares, found.replaced) == (8, 3)
    assert found.along_columns[-1].tolist() == [2, 3, 4, 4]
    assert found.across(0, 0, 4, 4) == {"x": 2, "y": 4}
    assert found.across(1, 0, 2, 1) == {"x": 1, "y": 0}


def test_dead_cores_beyond_the_spares_stay() -> None:
    found = repair(dead((1, 0), (2, 0), (4, 0)), 4)
    assert found.dead.tolist()[0] == [False, False, True, False]  # cores 0, 3, 4 and 5
    assert found.aside.tolist()[0] == [0, 2, 2, 2]


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 7)), max_size=30), st.integers(0, 4))
def test_every_row_is_whole_as_far_as_its_spares_reach(cells: list[tuple[int, int]], spares: int) -> None:
    width = 12 - spares
    made = dead(*cells, shape=(8, 12))
    found = repair(made, width)
    places = found.aside + np.arange(width)
    assert (np.diff(places, axis=1) > 0).all()
    assert places.max(initial=0) < 12
    assert (np.take_along_axis(made, places, axis=1) == found.dead).all()
    live = (~made).sum(axis=1)
    assert (found.dead.sum(axis=1) == np.maximum(0, width - live)).all()


@pytest.mark.parametrize(
    ("cores", "longer"),
    [("[]", 0), ("[[4, 0]]", 0), ("[[2, 0]]", 1), ("[[0, 0]]", 1), ("[[2, 0], [3, 0]]", 2)],
)
def test_a_link_past_a_dead_core_is_one_hop_longer(tmp_path: Path, cores: str, longer: int) -> None:
    """In at the west over a hop, out at the east over four; dead cores before or behind take no time of the kernel."""
    figures = "spare_columns = 2; dead_cores = "
    whole = simulate(chain("relu"), damaged(tmp_path, figures + "[]", "wafer-4x4")).latency_cycles
    found = simulate(chain("relu"), damaged(tmp_path, figures + cores, "wafer-4x4")).latency_cycles
    assert found == whole + longer


def test_two_hops_a_detour_are_two_cycles(tmp_path: Path) -> None:
    figures = "spare_columns = 2; detour_hops = 2; dead_cores = "
    whole = simulate(chain("relu"), damaged(tmp_path, figures + "[]", "wafer-4x4")).latency_cycles
    assert (
        simulate(chain("relu"), damaged(tmp_path, figures + "[[2, 0]]", "wafer-4x4")).latency_cycles
        == whole + 2
    )


def test_a_bad_yield_compiles_with_spares_and_says_what_they_do(tmp_path: Path) -> None:
    machine = damaged(tmp_path, "spare_columns = 3; core_yield = 0.97; seed = 3")
    assert not machine.keep_outs
    found = compile_for(machine, mlp(rows=32, wide=64))
    check_numbers(found)
    assert dict(plan_facts(found.plan))["spare cores"].startswith(
        f"{machine.repair.replaced} of 48 spare cores"
    )
    undamaged = damaged(tmp_path, "spare_columns = 3")
    perfect = compile_for(undamaged, mlp(rows=32, wide=64))
    assert "spare cores" not in dict(plan_facts(perfect.plan))
    hurt, well = (simulate(c.program, m) for c, m in ((found, machine), (perfect, undamaged)))
    assert hurt.latency_cycles > well.latency_cycles


def test_places_count_the_spares(tmp_path: Path) -> None:
    assert not damaged(tmp_path, "spare_columns = 1; dead_cores = [[16, 0]]").keep_outs
    with pytest.raises(MachineError, match=r"\(17, 0\) is outside of a fabric of 17 x 16 cores"):
        damaged(tmp_path, "spare_columns = 1; dead_cores = [[17, 0]]")


def test_the_cycle_level_refuses_spare_cores(tmp_path: Path) -> None:
    machine = damaged(tmp_path, "spare_columns = 1; dead_cores = [[1, 0]]", "wafer-4x4")
    with pytest.raises(AlgorithmError, match=r"takes wafers without spare cores in use, and 'hurt' has some"):
        simulate_cycles(chain("relu"), machine, {}, [])


def test_the_cycle_level_runs_beside_dead_cores_and_refuses_ways_past_them(tmp_path: Path) -> None:
    program = chain("relu")
    weights, inputs = arrays(program)
    beside = damaged(tmp_path, "dead_cores = [[2, 2]]", "wafer-4x4")
    whole = damaged(tmp_path, "dead_cores = []", "wafer-4x4")
    hurt, well = (simulate_cycles(program, machine, weights, inputs) for machine in (beside, whole))
    assert hurt.times == well.times
    np.testing.assert_array_equal(hurt.outputs[0], well.outputs[0])
    with pytest.raises(AlgorithmError) as caught:
        simulate_cycles(program, damaged(tmp_path, "dead_cores = [[3, 0]]", "wafer-4x4"), weights, inputs)
    assert str(caught.value) == (
        "the cycle-level simulator routes past no dead core, and words of 'by hand' (stream/s1) pass the one at (3, 0)"
        " of 'hurt': simulate at the fast level"
    )
