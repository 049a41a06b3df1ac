"""The cycle-level simulation of a program, with its data: cycles of every output, and the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.movement.program import Movements
from wsc.backends.wafer.movement.streams import StreamExpansion
from wsc.backends.wafer.program import HOST, Buffer, Program
from wsc.backends.wafer.simulate.cycle.build import Built, Placed, build
from wsc.backends.wafer.simulate.cycle.local import Local
from wsc.backends.wafer.simulate.cycle.memory import load, tiles
from wsc.backends.wafer.simulate.cycle.unroll import stride
from wsc.backends.wafer.simulate.prepare import check_program
from wsc.compiler.errors import AlgorithmError, DoesNotFit, SimulationError
from wsc.compiler.ops.base import Array
from wsc.simulation.fabric import Call, Machine

MOST_CORES = 64 * 64


@dataclass(frozen=True, eq=False)
class CycleResult:
    """`times[i]`: the cycle in which output i is complete. `outputs` are the last input's, in the program's order."""

    times: tuple[int, ...]
    outputs: tuple[Array, ...]
    colors: int
    positions: int
    active_core_cycles: int

    @property
    def latency(self) -> int:
        """Cycles of the first input."""
        return self.times[0]

    @property
    def interval(self) -> int:
        """Cycles between the last two outputs; of a single input, its latency."""
        return self.times[-1] - self.times[-2] if len(self.times) > 1 else self.times[0]


def simulate_cycles(
    program: Program,
    machine: Wafer,
    weights: Mapping[str, Array],
    inputs: Sequence[Array],
    repeats: int = 1,
    most_cycles: int = 1 << 40,
) -> CycleResult:
    """Simulate `repeats` equal inputs, one behind the other, cycle by cycle.

    Raises DoesNotFit where the fabric is too large or the machine has too few colours, SimulationError at a deadlock, a
    collision or an overflow.
    """
    check_program(program, machine)
    _refuse(program, machine)
    cores = sum(kernel.cores for kernel in program.kernels)
    if cores > MOST_CORES:
        raise DoesNotFit(
            f"the cycle-level simulator takes programs of {MOST_CORES:,} cores or fewer, and '{program.name}' uses"
            f" {cores:,}: compile for a smaller fabric, or simulate at the fast level"
        )
    built, moves = build(program, machine, repeats)
    _check_ways(program, machine, moves)
    fabric = Machine(built.fabric, built.routes, built.cores)
    given = {name: array for (name, _), array in zip(program.inputs, inputs, strict=True)}
    locals_ = _load(program, built, fabric, {**weights, **given})
    for stream in moves.streams.values():
        _feed(built, fabric, stream, given)
    fabric.run(lambda call: _carry_out(built, locals_, call), most_cycles)
    done = fabric.done_by_identity()
    times = tuple(max((done[id(i)] for i in ends), default=0) for ends in built.ends)
    outputs = tuple(
        _output(program, built, fabric, moves.streams, name).reshape(type.shape)
        for name, type in program.outputs
    )
    colored = moves.colored
    return CycleResult(times, outputs, colored.used, colored.most_positions, fabric.active_core_cycles)


def _refuse(program: Program, machine: Wafer) -> None:
    """Raise AlgorithmError for what only the fast simulator knows."""
    if program.wafers > 1:
        raise AlgorithmError(
            f"the cycle-level simulator takes programs of one wafer, and '{program.name}' runs on {program.wafers}:"
            " simulate at the fast level"
        )
    if not machine.repair.whole:
        raise AlgorithmError(
            f"the cycle-level simulator takes wafers without spare cores in use, and '{machine.name}' has some:"
            " simulate at the fast level"
        )


def _check_ways(program: Program, machine: Wafer, moves: Movements) -> None:
    """Raise AlgorithmError where words would pass a dead core: here their ways have one turn and go round nothing."""
    dead = {cell for box in machine.keep_outs for cell in box.cells}
    for color, places in moves.colored.positions.items():
        for place in sorted(dead & places.keys()):
            families = sorted(name for name, colors in moves.colored.color.items() if color in colors)
            raise AlgorithmError(
                f"the cycle-level simulator routes past no dead core, and words of '{program.name}' ({families[0]})"
                f" pass the one at {place} of '{machine.name}': simulate at the fast level"
            )


def _load(program: Program, built: Built, fabric: Machine, arrays: Mapping[str, Array]) -> list[Local]:
    found = []
    for placed in built.kernels:
        view = fabric.words(placed.first, placed.kernel.cores)
        load(program, placed.kernel, view, placed.memories, placed.copies, arrays)
        for core, start, buffer, content, owners in placed.loads:
            dense = arrays[buffer.names[content]].reshape(buffer.type.shape)
            tiles = buffer.layout.distribute(placed.kernel.mesh, dense)
            raw = np.ascontiguousarray(tiles.reshape(placed.kernel.cores, -1)[owners]).view(np.uint8)
            size = stride(buffer)
            padded = np.pad(raw.reshape(len(owners), -1), ((0, 0), (0, size - buffer.tile_type.bytes)))
            fabric.memory(core)[start : start + padded.size] = padded.ravel()
        found.append(Local(placed.kernel, placed.memories, view))
    return found


def _carry_out(built: Built, locals_: Sequence[Local], call: Call) -> None:
    for placed, local in zip(built.kernels, locals_, strict=True):
        if call.call in placed.calls:
            local.carry_out(placed.calls[call.call], [core - placed.first for core in call.cores])
            return
    raise SimulationError(f"no kernel knows call {call.call}")


def _feed(built: Built, fabric: Machine, stream: StreamExpansion, given: Mapping[str, Array]) -> None:
    """Give the host's cores the words that they send."""
    end = stream.stream.source
    if end.kernel != HOST:
        return
    flat = given[end.buffer].ravel()
    lanes = max(1, 4 // flat.dtype.itemsize)
    for place, payload in stream.payloads.items():
        key = stream.stream.name, place
        if key not in built.hosts or place[0] != -1:
            continue
        words = [np.pad(flat[e], (0, -e.size % lanes)) for e in payload]
        raw = np.concatenate(words).view(np.uint8)
        start = built.starts[key]
        fabric.memory(built.hosts[key])[start : start + raw.size] = raw


def _output(
    program: Program, built: Built, fabric: Machine, streams: Mapping[str, StreamExpansion], name: str
) -> Array:
    """A tensor from where it lies in the end: with the host, or in the memory of a kernel's cores."""
    for stream in streams.values():
        if (stream.stream.target.kernel, stream.stream.target.buffer) == (HOST, name):
            return _gathered(built, fabric, stream)
    for placed in built.kernels:
        for buffer in placed.kernel.buffers:
            names = buffer.after if buffer.role == "state" else (buffer.key,)
            if buffer.role in ("output", "state") and name in names:
                return _collected(fabric, placed, buffer, names.index(name))
    raise SimulationError(f"nothing brings output '{name}' to the host")


def _gathered(built: Built, fabric: Machine, stream: StreamExpansion) -> Array:
    end = stream.stream.target
    kind = end.type.dtype.numpy
    dense = np.zeros(end.type.elements, kind)
    lanes = max(1, 4 // kind.itemsize)
    for place, payload in stream.payloads.items():
        key = stream.stream.name, place
        if key not in built.hosts or place[0] < 0:
            continue
        at = built.starts[key]
        raw = fabric.memory(built.hosts[key])
        for elements in payload:
            size = elements.size * kind.itemsize
            dense[elements] = raw[at : at + size].view(kind)
            at += -(-elements.size // lanes) * lanes * kind.itemsize
    return dense.reshape(end.type.shape)


def _collected(fabric: Machine, placed: Placed, buffer: Buffer, copy: int) -> Array:
    mesh, cores = placed.kernel.mesh, placed.kernel.cores
    view = fabric.words(placed.first, cores)
    value = tiles(view, placed.memories[buffer.name], copy, range(cores))
    return buffer.layout.collect(mesh, value.reshape(*mesh.shape, *value.shape[1:]), buffer.type.shape)
