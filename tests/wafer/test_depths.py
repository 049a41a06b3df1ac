"""How many chunks streams buffer where a short way meets a long one."""

from dataclasses import replace

import pytest

from tests.compiler.graphs import model
from tests.wafer.compiling import compile_for, machine
from tests.wafer.models import attention_block, layers, mlp
from wsc.backends.wafer.chunks import plan_chunks
from wsc.backends.wafer.depths import plan_depths
from wsc.backends.wafer.kernels import FusedKernel, cut_kernels
from wsc.backends.wafer.legalize import legalize
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import simulate
from wsc.compiler.ir.model import Model
from wsc.compiler.passes.pipeline import run_pipeline


def depths(made: Model) -> dict[str, dict[str, int]]:
    """Chunks buffered by kernel (its anchor) and source."""
    kernels: tuple[FusedKernel, ...] = cut_kernels(legalize(run_pipeline(made), machine("wafer-8x8")).graph)
    found = plan_depths(kernels, plan_chunks(kernels))
    return {
        k.anchor.name: {f.source: n for f, n in zip(k.streams, found[k.name], strict=True)} for k in kernels
    }


def skip(length: int, rows: int) -> Model:
    """A chain of so many kernels, and a way around it."""
    lines = [f"%x = input(index=0) : f32[{rows},8]", f"%v0 = scan(fn='sum', dim=1) %x : f32[{rows},8]"]
    lines += [f"%v{i} = softmax(dim=1) %v{i - 1} : f32[{rows},8]" for i in range(1, length + 1)]
    lines.append(f"%y = concat(dim=1) %v0 %v{length} : f32[{rows},16]")
    return model(*lines, "return %y")


def test_a_chain_is_double_buffered() -> None:
    for rows in (4, 64):
        assert [list(streams.values()) for streams in depths(mlp(rows)).values()] == [[2], [2]]


@pytest.mark.parametrize("length", [1, 2, 4, 8])
def test_the_way_around_buffers_what_the_chain_holds(length: int) -> None:
    """Each kernel of the chain holds a chunk and has one on its way; then there is the one that is taken."""
    found = depths(skip(length, rows=128))["y"]
    assert found["v0"] >= 2 * length + 2
    assert found[f"v{length}"] == 2


def test_longer_chains_need_deeper_buffers() -> None:
    found = [depths(skip(n, rows=64))["y"]["v0"] for n in range(1, 9)]
    assert found == sorted(found)
    assert found[-1] > found[0]


def test_a_whole_tensor_waits_whole_intervals() -> None:
    """Without chunks each kernel of the chain holds one tensor, and its way takes three quarters of an interval."""
    found = [depths(skip(n, rows=6))["y"]["v0"] for n in (1, 2, 3, 4)]
    assert found == [3, 5, 7, 8]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_what_is_planned_is_enough(length: int) -> None:
    """With it a kernel bounds the interval; with less in one stream, the long way does."""
    program = compile_for("wafer-16x16", skip(length, rows=6)).program
    planned = simulate(program, machine("wafer-16x16"))
    assert planned.bounded_by.startswith("kernel ")
    shallow = simulate(with_capacity(program, "concat", length // 2 + 1), machine("wafer-16x16"))
    assert shallow.interval_cycles > planned.interval_cycles
    assert shallow.bounded_by.startswith("back-pressure")


def with_capacity(program: Program, name: str, most: int) -> Program:
    """The program with at most so many chunks buffered by each stream of a kernel."""
    buffers = tuple(replace(b, copies=min(b.copies, most)) for b in program.kernel(name).buffers)
    streams = tuple(
        replace(s, capacity=min(s.capacity, most)) if s.target.kernel == name else s for s in program.streams
    )
    kernels = tuple(replace(k, buffers=buffers) if k.name == name else k for k in program.kernels)
    return replace(program, kernels=kernels, streams=streams)


def test_queries_wait_for_all_keys() -> None:
    """q arrives in three chunks and may start when the last of k and v is there."""
    found = depths(attention_block(rows=48))["a"]
    assert found["q"] >= 3
    assert found["k"] == found["v"] == 2


def test_residuals_of_layers_are_buffered_alike() -> None:
    found = depths(layers(3, rows=64))
    skips = [streams for name, streams in found.items() if name.startswith("down")]
    assert len({tuple(streams.values()) for streams in skips[1:]}) == 1


def test_buffers_have_the_copies_that_were_planned() -> None:
    compiled = compile_for("wafer-8x8", skip(3, rows=64))
    planned = {p.kernel.name: p.candidate.cutting.depths for p in compiled.plan.kernels}
    for kernel in compiled.program.kernels:
        buffers = [b for b in kernel.buffers if b.role == "stream"]
        assert tuple(b.copies for b in buffers) == planned[kernel.name]
    streams = {s.target.kernel: s.capacity for s in compiled.program.streams}
    assert streams[compiled.program.kernels[-1].name] in planned[compiled.program.kernels[-1].name]
