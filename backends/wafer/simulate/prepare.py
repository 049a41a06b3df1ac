"""Everything a simulation needs that doesn't change while it runs: costs of instructions, traffic, the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

from wsc.backends.wafer.defects import Box
from wsc.backends.wafer.instructions import (
    AllReduce,
    Insert,
    Load,
    Lookup,
    Move,
    MultiplyAdd,
    Positions,
    Recv,
    ReduceScatter,
    Send,
    Wait,
)
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Buffer, Instruction, Kernel, Loop, Program, Repeat
from wsc.backends.wafer.simulate.alike import first_alike, is_of_streams
from wsc.backends.wafer.simulate.costs import (
    COMPUTE,
    MOVEMENT,
    Cost,
    insert_cost,
    local_cost,
    lookup_cost,
    multiply_add_cost,
)
from wsc.backends.wafer.simulate.lines import link_words
from wsc.backends.wafer.simulate.loops import loop_cost
from wsc.backends.wafer.simulate.moves import move_cost
from wsc.backends.wafer.simulate.network import Network, build_network
from wsc.backends.wafer.simulate.traffic import Traffic, find_traffic
from wsc.compiler.errors import SimulationError
from wsc.compiler.ops import Elementwise
from wsc.compiler.ops.base import Op


@dataclass(frozen=True, eq=False)
class Prepared:
    """A program on a machine, with its streams; kernels that are alike are costed once."""

    program: Program
    machine: Wafer
    traffic: tuple[Traffic, ...]

    @cached_property
    def alike(self) -> dict[str, Kernel]:
        """By name of a kernel: the first one that is like it."""
        return first_alike(self.program, self.machine)

    @cached_property
    def costs(self) -> tuple[tuple[Cost, ...], ...]:
        """Of kernel k, `costs[k]` is one cost an instruction, `once` before `body`."""
        known: dict[tuple[str, int], Cost] = {}
        return tuple(
            tuple(self.cost_of(kernel, n, i, known) for n, i in enumerate(kernel.instructions()))
            for kernel in self.program.kernels
        )

    def cost_of(
        self, kernel: Kernel, place: int, instruction: Instruction, known: dict[tuple[str, int], Cost]
    ) -> Cost:
        """Cost of the instruction at a place of a kernel; `known` are those of kernels costed before, by place."""
        key = (self.alike[kernel.name].name, place)
        if key in known and not is_of_streams(instruction):
            return known[key]
        known[key] = instruction_cost(self.machine, kernel, instruction, self._by_name)
        return known[key]

    @cached_property
    def _by_name(self) -> dict[str, Traffic]:
        return {t.stream.name: t for t in self.traffic}

    @cached_property
    def network(self) -> Network:
        """Paths of the streams over what they share."""
        return build_network(self.program, self.machine, self.traffic)


def prepare(program: Program, machine: Wafer) -> Prepared:
    """A program with what its streams take; raises SimulationError if it does not fit the machine or itself."""
    check_program(program, machine)
    return Prepared(program, machine, find_traffic(program, machine))


def runs_per_input(kernel: Kernel) -> tuple[int, ...]:
    """How often each instruction runs for one input, `once` before `body`."""
    return (1,) * len(kernel.once) + (kernel.chunks,) * len(kernel.body)


def executing_cores(kernel: Kernel, instruction: Instruction) -> int:
    """Cores that execute an instruction on something: not those where its result lives on part 0 of an axis alone."""
    if not instruction.result:
        return kernel.cores
    idle = kernel[instruction.result].layout.at
    cores = kernel.cores
    for axis in idle:
        cores //= kernel.mesh[axis].parts
    return cores


def instruction_cost(
    machine: Wafer, kernel: Kernel, instruction: Instruction, traffic: Mapping[str, Traffic]
) -> Cost:
    """Cost of one run of an instruction."""
    op = instruction.op
    operands = [kernel[name] for name in instruction.operands]
    match op:
        case Op():
            return local_cost(
                machine, op, [b.tile_type for b in operands], kernel[instruction.result].tile_type
            )
        case Repeat(steps, body):
            return _repeated(steps, [instruction_cost(machine, kernel, i, traffic) for i in body])
        case Loop(_, body):
            return loop_cost(
                kernel, instruction, [instruction_cost(machine, kernel, i, traffic) for i in body]
            )
        case MultiplyAdd():
            types = [b.tile_type for b in operands]
            return multiply_add_cost(machine, op, types, kernel[instruction.result].tile_type)
        case Wait():
            return Cost(MOVEMENT, 0, 0)
        case Insert() | Positions() | Load():
            return _filled_cost(machine, kernel, op, instruction)
        case Lookup():
            return lookup_cost(machine, operands[0].tile_type, operands[1].tile_type)
        case Send(stream):
            return _pushed(
                traffic[stream], traffic[stream].source_words, traffic[stream].stream.source.chunks
            )
        case Recv(stream):
            return _pushed(
                traffic[stream], traffic[stream].target_words, traffic[stream].stream.target.chunks
            )
    return _detoured(
        machine, kernel, op, move_cost(machine, kernel.mesh, op, operands, kernel[instruction.result])
    )


def _detoured(machine: Wafer, kernel: Kernel, op: Move, cost: Cost) -> Cost:
    """With the hops that the worst row or column of the region has more, for each way that the movement goes.

    Only the farthest core sees them: steps of a loop follow each other as before.
    """
    if machine.repair.whole or not cost.lines:
        return cost
    across = machine.repair.across(kernel.x, kernel.y, kernel.width, kernel.height)
    ways = 2 if isinstance(op, AllReduce | ReduceScatter) else 1
    hops = ways * machine.defects.detour_hops * sum(across[line] for line in cost.lines)
    longer = hops * machine.fabric.hop_cycles
    return replace(cost, latency=cost.latency + longer, flight=cost.flight + longer)


def _filled_cost(
    machine: Wafer, kernel: Kernel, op: Insert | Positions | Load, instruction: Instruction
) -> Cost:
    made = kernel[instruction.result]
    if isinstance(op, Load):
        return _loaded(machine, kernel, made)
    if isinstance(op, Insert):
        return insert_cost(machine, kernel[instruction.operands[1]].tile_type)
    return local_cost(machine, Elementwise("copy"), [made.tile_type], made.tile_type)


def _loaded(machine: Wafer, kernel: Kernel, buffer: Buffer) -> Cost:
    """The whole tensor over the edge, and its last word to the farthest core.

    The core starts it, and gives a cycle to every word of its tile.
    """
    busy = machine.core.task_startup_cycles + link_words(machine, buffer.tile_type.bytes)
    edge = ceil(buffer.type.bytes / machine.edge_bytes_per_cycle)
    flight = (kernel.width + kernel.height) * machine.fabric.hop_cycles + 2 * machine.fabric.ramp_cycles
    return Cost(MOVEMENT, busy, edge + flight, edge_cycles=edge)


def _repeated(steps: int, costs: Sequence[Cost]) -> Cost:
    """Cost of a repeat, as the sum of its instructions' one after another."""
    macs = steps * sum(cost.macs for cost in costs)
    lines = tuple(sorted({line for cost in costs for line in cost.lines}))
    on_lines = max((sum(c.line_cycles for c in costs if line in c.lines) for line in lines), default=0)
    busy, through = (sum(getattr(c, key) for c in costs) for key in ("occupancy", "latency"))
    return Cost(COMPUTE if macs else MOVEMENT, steps * busy, steps * through, lines, steps * on_lines, macs)


def _pushed(traffic: Traffic, words: int, chunks: int) -> Cost:
    """Words of one chunk through the ramp of the busiest core, one a cycle."""
    cycles = max(1, ceil(words * traffic.tensors / chunks))
    return Cost(MOVEMENT, cycles, cycles)


def check_program(program: Program, machine: Wafer) -> None:
    """Raise SimulationError where a program does not fit a machine, or its streams do not fit its instructions."""
    if program.width > machine.grid.width_cores or program.height > machine.grid.height_cores:
        raise SimulationError(
            f"program '{program.name}' is for {program.width}x{program.height} cores, machine '{machine.name}'"
            f" has {machine.grid.width_cores}x{machine.grid.height_cores}"
        )
    for kernel in program.kernels:
        if box := next((b for b in machine.keep_outs if _covers(kernel, b)), None):
            raise SimulationError(
                f"kernel '{kernel.name}' lies on dead cores of '{machine.name}' at ({box.x}, {box.y})"
            )
    resident = any(b.role in ("output", "state") for k in program.kernels for b in k.buffers)
    to_host = any(stream.target.kernel == HOST for stream in program.streams)
    if program.kernels and not resident and not to_host:  # a wafer of several may have nothing to do
        raise SimulationError(
            f"no stream of program '{program.name}' ends at the host: there is no output to wait for"
        )
    received = [i.op.stream for k in program.kernels for i in k.flat_instructions() if isinstance(i.op, Recv)]
    sent = [i.op.stream for k in program.kernels for i in k.flat_instructions() if isinstance(i.op, Send)]
    if sorted(received) != sorted(s.name for s in program.streams if s.target.kernel != HOST):
        raise SimulationError(
            f"program '{program.name}': not every stream to a kernel has exactly one recv there"
        )
    if sorted(sent) != sorted(s.name for s in program.streams if s.source.kernel != HOST):
        raise SimulationError(
            f"program '{program.name}': not every stream from a kernel has exactly one send there"
        )


def _covers(kernel: Kernel, box: Box) -> bool:
    across = kernel.x <= box.right and box.x < kernel.x + kernel.width
    return across and kernel.y <= box.bottom and box.y < kernel.y + kernel.height
