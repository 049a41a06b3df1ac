"""Candidates fit, say what they use, and cost about what the simulator finds."""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.wafer.compiling import Compiled, compile_for, machine, sized
from tests.wafer.forcing import build, chunkings, only_kernel
from tests.wafer.models import MODELS
from tests.wafer.samples import SAMPLES
from wsc.backends.wafer.coarse import Job
from wsc.backends.wafer.cutting import AxisCut, Chunking, Cutting
from wsc.backends.wafer.emit.kernel import draft_kernel
from wsc.backends.wafer.estimate import code_bytes, data_bytes, instruction_cycles, kernel_time
from wsc.backends.wafer.instructions import AllReduce, Halo, Lookup, Move, Multicast, Recv, Send
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Kernel
from wsc.backends.wafer.simulate import lower_bound, simulate
from wsc.backends.wafer.sizing import Candidate, candidates
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis
from wsc.compiler.ops import AxisKind, Contract, Elementwise, Op, Reduce
from wsc.simulation.trace import KernelTrace, Trace

NEAR = 0.15  # how far an estimate may lie from the simulated cycles
NAMES = sorted(MODELS)


# --- candidates


def check_candidates(job: Job, wafer: Wafer, found: list[Candidate]) -> None:
    assert len({(c.width, c.height) for c in found}) == len(found)
    for candidate in found:
        cutting, mesh = candidate.cutting, candidate.cutting.mesh
        assert (mesh.width, mesh.height) == (candidate.width, candidate.height)
        assert candidate.width <= wafer.grid.width_cores
        assert candidate.height <= wafer.grid.height_cores
        assert cutting.chunking == job.chunking
        assert cutting.depths == job.depths
        assert candidate.cycles > 0
        check_cuts(job, cutting)
        check_bytes(job, wafer, candidate)


def check_cuts(job: Job, cutting: Cutting) -> None:
    """Parts cover their axis, and none of it is cut twice."""
    assert len({cut.axis for cut in cutting.cuts}) == len(cutting.cuts)
    for cut in cutting.cuts:
        whole = job.kernel.axes[cut.axis].extent
        chunk = whole // job.chunking.chunks if cut.axis == job.chunking.axis else whole
        assert cut.parts > 1
        assert cut.tile * cut.parts >= chunk


def check_bytes(job: Job, wafer: Wafer, candidate: Candidate) -> None:
    """What the drafted kernel really takes, with a send to each reader."""
    draft = draft_kernel(job.kernel, candidate.cutting)
    instructions = len(draft.once) + len(draft.body) + job.readers
    used = data_bytes(draft.buffers) + code_bytes(instructions, wafer) + wafer.core.runtime_code_bytes
    assert candidate.bytes == used <= wafer.core.sram_bytes
    ends = [(b.address, b.address + b.bytes) for b in draft.buffers]
    assert all(end == start for (_, end), (start, _) in pairwise(ends))
    assert all(start % 4 == 0 for start, _ in ends)


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@settings(max_examples=3)
@given(st.data(), st.integers(1, 3))
def test_candidates_fit_and_say_what_they_take(kind: str, data: st.DataObject, readers: int) -> None:
    made, _ = build(data.draw(SAMPLES[kind]), data.draw(st.sets(st.integers(0, 3))), tail="all")
    _, kernel = only_kernel(made)
    chunking = data.draw(st.sampled_from(chunkings(kernel)))
    job = Job(kernel, chunking, (2,) * len(kernel.streams), readers)
    wafer = machine("wafer-8x8")
    found = candidates(job, wafer, data.draw(st.sampled_from([1.0, 500.0, 1e15])))
    assert found
    check_candidates(job, wafer, found)


@settings(max_examples=25)
@given(st.data(), st.integers(0, 1500))
def test_candidates_fit_where_memory_is_short(data: st.DataObject, room: int) -> None:
    made, _ = build(data.draw(SAMPLES["contract"] | SAMPLES["norm"] | SAMPLES["attention"]), {1})
    _, kernel = only_kernel(made)
    wafer = sized(4, 5, sram_bytes=3000 + room)
    job = Job(kernel, Chunking(), (2,) * len(kernel.streams))
    check_candidates(job, wafer, candidates(job, wafer, 1000.0))


def test_more_cores_are_offered_for_less_time() -> None:
    """Among the candidates of a linear layer of some size, those that are fastest have more cores than the least."""
    compiled = compile_for("wafer-16x16", MODELS["mlp_in_chunks"]())
    kernel = compiled.plan.kernels[0].kernel
    job = Job(kernel, compiled.plan.kernels[0].candidate.cutting.chunking, (2,))
    found = candidates(job, machine("wafer-16x16"), 2000.0)
    cores = {c.cycles: c.width * c.height for c in sorted(found, key=lambda c: -c.cycles)}
    assert cores[min(cores)] > 8 * min(cores.values())
    assert min(cores) * 8 < max(cores)


# --- cycles of an instruction, by hand: 30 cycles a task, 17 a vector, 2.45 a multiply-add, 4 bytes a word


def tile(
    name: str, *shape: int, dtype: DType = DType.F32, cuts: tuple[tuple[Cut, ...], ...] | None = None
) -> Buffer:
    return Buffer(name, TensorType(dtype, shape), Layout(cuts or ((),) * len(shape)), "local")


@pytest.mark.parametrize(
    ("op", "operands", "result", "cycles"),
    [
        # 4 x 8 x 16 multiply-adds along vectors of 16
        (
            Contract("ak,nk->an"),
            [tile("a", 4, 8), tile("b", 16, 8)],
            tile("c", 4, 16),
            30 + 512 * (2.45 + 17 / 16),
        ),
        # a vector of one element takes the time of four
        (Contract("k,k->"), [tile("a", 8), tile("b", 8)], tile("c"), 30 + 8 * (4 * 2.45 + 17)),
        # all of one shape: one vector instruction an elementary operation
        (Elementwise("exp"), [tile("a", 4, 16)], tile("c", 4, 16), 30 + 8 * (64 + 17)),
        # a broadcast: a vector instruction a row
        (
            Elementwise("mul", (None, None)),
            [tile("a", 4, 16), tile("b", 1, 16)],
            tile("c", 4, 16),
            30 + 64 + 4 * 17,
        ),
        (Reduce("sum", (1,)), [tile("a", 4, 16)], tile("c", 4), 30 + 64 + 4 * 17),
        # truth values choose among numbers at the pace of the numbers
        (
            Elementwise("select", (None, None, 0.0)),
            [tile("a", 4, 16, dtype=DType.BOOL), tile("b", 4, 16)],
            tile("c", 4, 16),
            30 + 64 + 17,
        ),
        (Recv("s"), [], tile("c", 4, 16), 64),
        (Send("s"), [tile("a", 4, 16, dtype=DType.F16)], None, 32),
        (Multicast(("m",)), [tile("a", 4, 16)], tile("c", 4, 16), 30 + 64),
        (AllReduce("m"), [tile("a", 4, 16)], tile("c", 4, 16), 30 + 2 * 64),
        (Halo(0, "m", 1, 2), [tile("a", 4, 16)], tile("c", 4, 16), 2 * 30 + 3 * 16),
        (
            Lookup("m"),
            [tile("a", 9, 16), tile("b", 5, dtype=DType.I64)],
            tile("c", 5, 16),
            30 + 5 * (16 + 17),
        ),
    ],
)
def test_cycles_of_an_instruction(
    op: Op | Move, operands: list[Buffer], result: Buffer | None, cycles: float
) -> None:
    buffers = {b.name: b for b in [*operands, *([result] if result else [])]}
    instruction = Instruction(op, tuple(b.name for b in operands), result.name if result else "")
    mesh = Mesh((MeshAxis("m", 4, "x"),))
    assert instruction_cycles(instruction, buffers, machine("wafer-8x8"), mesh) == pytest.approx(cycles)


def test_half_precision_is_faster() -> None:
    def cycles(dtype: DType) -> float:
        a, b, c = (
            tile("a", 32, 32, dtype=dtype),
            tile("b", 32, 32, dtype=dtype),
            tile("c", 32, 32, dtype=dtype),
        )
        product = Instruction(Contract("ak,nk->an"), ("a", "b"), "c")
        return instruction_cycles(product, {"a": a, "b": b, "c": c}, machine("wafer-8x8"), Mesh(()))

    assert 3 * cycles(DType.F16) < cycles(DType.F32)


# --- estimate and simulator, which share nothing but the program


@cache
def simulated(name: str, wafer: str) -> tuple[Compiled, Trace]:
    compiled = compile_for(wafer, MODELS[name]())
    return compiled, simulate(compiled.program, machine(wafer))


def estimated(kernel: Kernel, wafer: Wafer) -> float:
    buffers = {b.name: b for b in kernel.buffers}
    return kernel_time(kernel.once, kernel.body, kernel.chunks, buffers, wafer, kernel.mesh).busy


def kernels(name: str, wafer: str) -> Iterator[tuple[Candidate, Kernel, KernelTrace]]:
    compiled, trace = simulated(name, wafer)
    for planned, kernel, found in zip(
        compiled.plan.kernels, compiled.program.kernels, trace.kernels, strict=True
    ):
        assert found.name == kernel.name
        yield planned.candidate, kernel, found


EVERY_MODEL = pytest.mark.parametrize("name", NAMES)
TWO_SIZES = pytest.mark.parametrize("wafer", ["wafer-4x4", "wafer-16x16"])


@TWO_SIZES
@EVERY_MODEL
def test_estimates_are_near_the_simulated_cycles(name: str, wafer: str) -> None:
    for candidate, kernel, found in kernels(name, wafer):
        assert estimated(kernel, machine(wafer)) == pytest.approx(found.busy_cycles, rel=NEAR), kernel.name
        # a candidate's cycles may also be those of the links it shares
        assert candidate.cycles >= (1 - NEAR) * found.busy_cycles
        assert candidate.cycles == pytest.approx(estimated(kernel, machine(wafer)), abs=1) or (
            candidate.cycles > estimated(kernel, machine(wafer))
        )


@TWO_SIZES
@EVERY_MODEL
def test_no_kernel_is_faster_than_its_multiply_adds_at_peak(name: str, wafer: str) -> None:
    compiled, trace = simulated(name, wafer)
    for _, kernel, found in kernels(name, wafer):
        peak = machine(wafer).peak_macs_per_cycle(DType.F32)
        assert found.macs / (kernel.cores * peak) <= found.busy_cycles
    macs = compiled.given.graph.work().macs
    assert macs <= sum(found.macs for found in trace.kernels) or name == "weights_alone"
    assert macs / (machine(wafer).cores * peak) <= trace.interval_cycles
    assert lower_bound(compiled.program, machine(wafer)) <= trace.interval_cycles


@TWO_SIZES
@EVERY_MODEL
def test_bytes_of_a_program_are_those_of_its_plan(name: str, wafer: str) -> None:
    for candidate, kernel, found in kernels(name, wafer):
        core = machine(wafer).core
        assert kernel.data_bytes + kernel.code_bytes + core.runtime_code_bytes == candidate.bytes
        assert candidate.bytes == found.bytes_per_unit <= core.sram_bytes


@TWO_SIZES
@EVERY_MODEL
def test_outputs_are_no_closer_than_the_slowest_kernel_allows(name: str, wafer: str) -> None:
    _, trace = simulated(name, wafer)
    assert trace.interval_cycles >= max(kernel.busy_cycles for kernel in trace.kernels)


@TWO_SIZES
@EVERY_MODEL
def test_no_input_is_through_before_its_slowest_kernel(name: str, wafer: str) -> None:
    check_latency(simulated(name, wafer)[1])


def check_latency(trace: Trace) -> None:
    assert trace.latency_cycles >= max(kernel.busy_cycles for kernel in trace.kernels)


@settings(max_examples=20)
@given(st.data())
def test_a_finer_cut_leaves_a_core_at_most_the_work_it_had(data: st.DataObject) -> None:
    made, _ = build(data.draw(SAMPLES["contract"] | SAMPLES["elementwise"] | SAMPLES["softmax"]))
    _, kernel = only_kernel(made)
    parallel = [a for a, axis in enumerate(kernel.axes) if axis.kind is AxisKind.PARALLEL and axis.extent > 3]
    assume(parallel)
    axis = data.draw(st.sampled_from(parallel))
    n = kernel.axes[axis].extent
    work = []
    for size in (-(-n // 2), -(-n // 4)):
        draft = draft_kernel(kernel, Cutting((AxisCut(axis, size, -(-n // size), "x"),), Chunking()))
        buffers = {b.name: b for b in draft.buffers}
        computed = [i for i in draft.body if isinstance(i.op, Op)]
        work.append(sum(instruction_cycles(i, buffers, machine("wafer-8x8"), Mesh(())) for i in computed))
    assert work[1] <= work[0]


def test_links_that_are_shared_count() -> None:
    """Some candidate's lines or ports take longer than its busiest core, where cores multiply fast."""
    fast = sized(16, 16, f32_mac_cycles=0.1, vector_startup_cycles=0)
    compiled = compile_for(fast, MODELS["block_in_chunks"]())
    assert any(
        p.candidate.cycles > estimated(k, fast) + 1
        for p, k in zip(compiled.plan.kernels, compiled.program.kernels, strict=True)
    )
