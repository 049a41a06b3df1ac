"""One model on several machines: compiled in processes of their own, and the figures to compare them by."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

from wsc.arrays import read_arrays, write_arrays
from wsc.backends.registry import select
from wsc.compiler.errors import UserError
from wsc.compiler.evidence import sentence
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.text import parse_graph, print_graph
from wsc.compiler.ir.types import DType
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.precision import with_precision
from wsc.driver import Compiled, compile_model
from wsc.precision import Wanted
from wsc.reports.comparison import Figures, Refusal

Told = Callable[[str, str], None]  # a machine's name, what it does now
_LOOK_SECONDS = 0.1  # between looks at what the processes say


@dataclass(frozen=True)
class _Job:
    """What a process is given: the machine, and files of the captured graph and its weights."""

    target: str
    graph: Path
    weights: Path
    inputs: Path
    wanted: Wanted


def compare_machines(
    model: Model,
    targets: Sequence[str],
    told: Told,
    *,
    inputs: Sequence[Array] = (),
    wanted: Wanted,
    workers: int = 0,
) -> list[Figures | Refusal]:
    """Compile a captured model for each machine, `workers` at once (as many as cores by default), in the given order.

    `inputs` are an example, by which a machine that needs integers is calibrated; `wanted` is the precision. A
    machine that cannot run the model gives a Refusal; `told` hears what each machine's process is doing.
    """
    context = multiprocessing.get_context("spawn")  # forking a process with PyTorch's threads is not safe
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wsc-compare-")))
        graph, weights, examples = folder / "graph.txt", folder / "weights.npz", folder / "inputs.npz"
        graph.write_text(print_graph(model.graph), encoding="utf-8")
        write_arrays(weights, model.weights)
        write_arrays(examples, {f"{number:06}": array for number, array in enumerate(inputs)})
        said = stack.enter_context(context.Manager()).Queue()
        count = workers or min(len(targets), os.cpu_count() or 1)
        pool = stack.enter_context(ProcessPoolExecutor(count, context))
        try:
            made = [_Job(target, graph, weights, examples, wanted) for target in targets]
            jobs = [pool.submit(_compile, job, said) for job in made]
            _listen(jobs, said, told)
            return [job.result() for job in jobs]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _listen(jobs: Sequence[Future[Any]], said: Any, told: Told) -> None:
    """Pass on what the processes say until all are done."""
    while not all(job.done() for job in jobs):
        try:
            told(*said.get(timeout=_LOOK_SECONDS))
        except Empty:
            continue


def _compile(job: _Job, said: Any) -> Figures | Refusal:
    """In a process of its own: compile for one machine."""

    def stage(text: str) -> None:
        said.put((job.target, text))

    selection = select(job.target)
    graph = parse_graph(job.graph.read_text(encoding="utf-8"))
    precision, integers = job.wanted.for_machine(selection)
    try:
        model = with_precision(Model(graph, read_arrays(job.weights)), precision)
        samples = _samples(model, tuple(read_arrays(job.inputs).values()))
        compiled = compile_model(model, selection, stage, dtype=integers, samples=samples)
    except UserError as error:
        said.put((job.target, "cannot run it"))
        return Refusal(selection.machine.name, selection.target.name, str(error))
    said.put((job.target, "done"))
    return figures_of(compiled)


def _samples(model: Model, inputs: Sequence[Array]) -> list[tuple[Array, ...]]:
    """The example in the element types of the model, where there is one."""
    types = [node.type.dtype.numpy for node in model.graph.inputs]
    return [tuple(a.astype(t) for a, t in zip(inputs, types, strict=True))] if inputs else []


def figures_of(compiled: Compiled) -> Figures:
    """The figures of a compiled model."""
    target, machine = compiled.selection.target, compiled.selection.machine
    trace, graph = compiled.trace, compiled.graph
    offered = target.capacity(compiled.program, machine)
    evidence = target.validated(machine)
    macs_per_second = graph.work().macs * trace.inputs_per_second
    return Figures(
        machine=machine.name,
        target=target.name,
        precision=_precision(compiled.model.graph),
        latency_cycles=trace.latency_cycles,
        interval_cycles=trace.interval_cycles,
        clock_hz=trace.clock_hz,
        bounded_by=trace.bounded_by,
        bound_share=target.lower_bound(compiled.program, machine) / trace.interval_cycles,
        utilisation=macs_per_second / offered.peak_macs_per_second,
        chips=offered.chips,
        unit=offered.unit,
        units=offered.units,
        memory_used_bytes=sum(kernel.bytes_per_unit * kernel.units for kernel in trace.kernels),
        memory_bytes=offered.memory_bytes,
        energy_joules=trace.energy_joules if trace.energy else None,
        moving_share=trace.moving_share if trace.energy else None,
        area_mm2=offered.area_mm2,
        rated_watts=offered.rated_watts,
        tokens=tokens_of(graph),
        validated=sentence(evidence, "cycles"),
        energy_validated=sentence(evidence, "energy"),
    )


def tokens_of(graph: Graph) -> int | None:
    """Elements of the first input of integers, batch by sequence, which a language model takes as tokens; or None."""
    found = (n.type for n in graph.inputs if n.type.dtype.is_integer and n.type.rank == 2)
    return next((type.elements for type in found), None)


def _precision(graph: Graph) -> str:
    """The element types of the weights, that of most bytes first; masks are none."""
    sizes: dict[str, int] = {}
    for node in graph.weights:
        if node.type.dtype is DType.BOOL:
            continue
        sizes[node.type.dtype.value] = sizes.get(node.type.dtype.value, 0) + node.type.bytes
    return ", ".join(sorted(sizes, key=lambda name: -sizes[name])) or "no weights"
