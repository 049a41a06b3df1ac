"""Programs of captured graphs, spread by force: the numbers stay the model's, the shares make sense."""

from functools import cache

import numpy as np
import pytest

from tests.compiler.arrays import draw
from tests.compiler.graphs import graph, model
from tests.conformance.models import MODELS, Captured
from tests.conformance.models import captured as capture
from tests.gpu_cluster.programs import cluster
from tests.gpu_cluster.test_text import decode
from wsc.backends.gpu_cluster.emit.program import emit
from wsc.backends.gpu_cluster.execute import execute
from wsc.backends.gpu_cluster.execute.collect import communicate, keep
from wsc.backends.gpu_cluster.instructions import Communicate, Keep
from wsc.backends.gpu_cluster.plan.graph_plan import MeshSize, make_plan
from wsc.backends.gpu_cluster.plan.spread import spread
from wsc.backends.gpu_cluster.program import Program, rank_mesh
from wsc.backends.gpu_cluster.simulate.bound import lower_bound
from wsc.backends.gpu_cluster.simulate.report import simulate
from wsc.backends.gpu_cluster.text import parse_program, print_program
from wsc.commands.run import relative_error, tolerance
from wsc.compiler.errors import InputMismatch, SimulationError
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.layout import Cut, Layout
from wsc.compiler.ops.base import Array

MESHES = [MeshSize(1, 1, 8), MeshSize(2, 1, 4), MeshSize(4, 1, 2), MeshSize(1, 2, 4), MeshSize(1, 4, 2)]


@cache
def captured(name: str) -> Captured:
    """Captured once for all tests."""
    return capture(name)


def compiled(found: Model, mesh: MeshSize) -> Program:
    return emit(make_plan(found.graph, cluster(f"h100x{mesh.gpus}"), mesh))


@pytest.mark.parametrize("mesh", MESHES, ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_however_it_is_spread_it_computes_the_same(name: str, mesh: MeshSize) -> None:
    found = captured(name)
    program = compiled(found.model, mesh)
    assert parse_program(print_program(program)) == program
    outputs = execute(program, found.model.weights, found.inputs)
    expected = interpret(found.model.graph, found.inputs, found.model.weights)
    for a, b in zip(outputs, expected, strict=True):
        assert relative_error(a, b) <= tolerance(b)
    trace = simulate(program, cluster(f"h100x{mesh.gpus}"))
    assert 0 < lower_bound(program, cluster()) <= trace.interval_cycles <= trace.latency_cycles


def matrices(width: int = 64) -> Model:
    """Two matrices whose products are large enough to be worth spreading, and a residual."""
    return model(
        f"%x = input(index=0) : f32[4096,{width}]",
        f"%w = parameter(key='w') : f32[8192,{width}]",
        f"%v = parameter(key='v') : f32[{width},8192]",
        "%y = contract(equation='ak,nk->an', windows=()) %x %w : f32[4096,8192]",
        "%z = elementwise(fn='gelu', scalars=(None,)) %y : f32[4096,8192]",
        f"%u = contract(equation='ak,nk->an', windows=()) %z %v : f32[4096,{width}]",
        f"%r = elementwise(fn='add', scalars=(None, None)) %u %x : f32[4096,{width}]",
        "return %r",
    )


def test_rows_of_the_batch_are_cut_where_that_takes_no_collective() -> None:
    program = compiled(matrices(), MeshSize(1, 1, 8))
    assert not any(isinstance(i, Communicate) for i in program.classes[0].body)


def test_columns_then_rows_then_one_sum_is_found() -> None:
    """Megatron's way: one collective for two matrices."""
    found = spread(one_token(), cluster(), 8)
    assert (found.options["y"].operands, found.options["y"].result) == ((-1, 0), 1)
    assert found.options["z"].result == 1
    assert (found.options["u"].operands, found.options["u"].result) == ((1, 1), -2)


def one_token() -> Graph:
    """Rows cannot be cut, so the matrices are: the first by columns, the second by rows."""
    return graph(
        "%x = input(index=0) : f32[1,8192]",
        "%w = parameter(key='w') : f32[32768,8192]",
        "%v = parameter(key='v') : f32[8192,32768]",
        "%y = contract(equation='ak,nk->an', windows=()) %x %w : f32[1,32768]",
        "%z = elementwise(fn='gelu', scalars=(None,)) %y : f32[1,32768]",
        "%u = contract(equation='ak,nk->an', windows=()) %z %v : f32[1,8192]",
        "return %u",
    )


MESH = rank_mesh({"a": 2, "b": 4})
CUT = Layout(((Cut("b", 2),), ()))
WHOLE = np.arange(8 * 4, dtype=np.float32).reshape(8, 4)


def test_collectives_do_what_they_are_called() -> None:
    tiles = CUT.distribute(MESH, WHOLE)
    everywhere = np.broadcast_to(WHOLE, (2, 4, 8, 4))
    both = Communicate("all_gather", 0, ("b",), "", dim=0)
    np.testing.assert_array_equal(communicate(both, MESH, tiles), everywhere)
    total = Communicate("all_reduce", 0, ("a", "b"), "")
    np.testing.assert_array_equal(communicate(total, MESH, everywhere), 8 * everywhere)
    share = Communicate("reduce_scatter", 0, ("b",), "", dim=0)
    np.testing.assert_array_equal(communicate(share, MESH, everywhere), 4 * tiles)
    turned = Communicate("all_to_all", 0, ("b",), "", dim=1, other_dim=0)
    columns = Layout(((), (Cut("b", 1),)))
    np.testing.assert_array_equal(communicate(turned, MESH, tiles), columns.distribute(MESH, WHOLE))
    np.testing.assert_array_equal(keep(Keep("x", "y", 0, ("b",)), MESH, everywhere), tiles)
    first = Communicate("broadcast", 0, ("b",), "")
    np.testing.assert_array_equal(communicate(first, MESH, tiles)[0, 3], tiles[0, 0])


def test_half_precision_is_summed_in_single() -> None:
    tiles = np.full((1, 4, 1), 2048.0, np.float16) * np.array([1, 1 / 2048, 1 / 2048, 0])[:, None]
    summed = communicate(
        Communicate("all_reduce", 0, ("b",), ""), rank_mesh({"a": 1, "b": 4}), tiles.astype(np.float16)
    )
    assert float(summed[0, 0, 0]) == 2050.0  # in half precision, one after another, 2048


def test_a_program_of_a_shape_has_nothing_to_run_on() -> None:
    with pytest.raises(
        InputMismatch, match="'tiny' was made from a shape: it can be simulated, but not executed"
    ):
        execute(decode(), {}, [])


def test_ranks_that_wait_for_ever_are_told() -> None:
    program = compiled(captured("mlp").model, MeshSize(1, 2, 1))
    first, second = program.classes
    without = type(first)(
        first.where, tuple(i for i in first.body if type(i).__name__ != "Send"), first.buffers
    )
    broken = type(program)(**{**program.__dict__, "classes": (without, second)})
    inputs: list[Array] = [draw(type, np.random.default_rng(0)) for _, type in program.inputs]
    with pytest.raises(SimulationError, match="ranks wait for ever: recv"):
        execute(broken, captured("mlp").model.weights, inputs)
