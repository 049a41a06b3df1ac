"""Runs a program class by class; tiles lie in arrays of shape mesh + tile, so that all ranks of a class go at once.

Along axes of the mesh where all ranks hold copies of everything, such as replicas, one of them is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from wsc.backends.gpu_cluster.execute.collect import communicate, keep
from wsc.backends.gpu_cluster.instructions import Communicate, Instruction, Keep, Launch, Recv, Send, Step
from wsc.backends.gpu_cluster.program import Buffer, Program, RankClass, flat
from wsc.backends.gpu_cluster.text import print_instruction
from wsc.compiler.errors import InputMismatch, SimulationError
from wsc.compiler.layout import Mesh, MeshAxis
from wsc.compiler.ops.base import Array

Progress = Callable[[str, int, int], None]
_Place = tuple[tuple[str, int], ...]


def execute(
    program: Program, weights: Mapping[str, Array], inputs: Sequence[Array], progress: Progress | None = None
) -> tuple[Array, ...]:
    """Outputs of the program for one input.

    Raises InputMismatch where an array does not fit, or for a program of shapes alone, which has no tensors.
    """
    _check(program, weights, inputs)
    network: dict[tuple[str, _Place], list[Array]] = {}
    running = [_Ranks(program, ranks, weights, inputs, network) for ranks in program.classes]
    waiting = list(running)
    while waiting:
        left = [ranks for ranks in waiting if not ranks.advance()]
        if progress is not None:
            progress(program.name, len(running) - len(left), len(running))
        if len(left) == len(waiting) and not any(ranks.moved for ranks in left):
            raise SimulationError(f"ranks wait for ever: {', '.join(ranks.stuck for ranks in left)}")
        waiting = left
    outputs = dict(pair for ranks in running for pair in ranks.outputs())
    return tuple(outputs[number] for number in range(len(program.outputs)))


def _check(program: Program, weights: Mapping[str, Array], inputs: Sequence[Array]) -> None:
    if not program.outputs:
        raise InputMismatch(f"'{program.name}' was made from a shape: it can be simulated, but not executed")
    if len(inputs) != len(program.inputs):
        raise InputMismatch(f"'{program.name}' takes {len(program.inputs)} inputs, {len(inputs)} were given")
    for (name, wanted), array in zip(program.inputs, inputs, strict=True):
        if array.shape != wanted.shape or array.dtype != wanted.dtype.numpy:
            raise InputMismatch(
                f"input '{name}' must be {wanted}, {array.dtype}{list(array.shape)} was given"
            )
    keys = {b.key for ranks in program.classes for b in ranks.buffers if b.role == "weight"}
    if missing := sorted(keys - set(weights)):
        raise InputMismatch(
            f"'{program.name}' was compiled without the bytes of {len(missing)} weights ({missing[0]}, ...): a model "
            "on the meta device can be compiled and simulated, but not executed"
        )


class _Ranks:
    """A class of ranks at work."""

    def __init__(
        self,
        program: Program,
        ranks: RankClass,
        weights: Mapping[str, Array],
        inputs: Sequence[Array],
        network: dict[tuple[str, _Place], list[Array]],
    ) -> None:
        self.ranks = ranks
        self.mesh = _own_mesh(program, ranks)
        self.sizes = {axis.name: axis.parts for axis in program.mesh.axes}
        self.network = network
        self.tiles: dict[str, Array] = {}
        self.moved = False
        self.stuck = ""
        for buffer in ranks.buffers:
            if buffer.role != "local":
                dense = weights[buffer.key] if buffer.role == "weight" else inputs[int(buffer.key)]
                self.tiles[buffer.name] = self._load(buffer, dense)
        self._left = flat(ranks.body)
        self._next = next(self._left, None)

    def _load(self, buffer: Buffer, dense: Array) -> Array:
        for op in buffer.views:
            dense = op.reference([dense])
        cut = set(buffer.layout.axes)
        once = Mesh(tuple(replace(a, parts=a.parts if a.name in cut else 1) for a in self.mesh.axes))
        tiles = buffer.layout.distribute(once, dense)
        return np.broadcast_to(tiles, (*self.mesh.shape, *tiles.shape[len(once.axes) :]))

    def advance(self) -> bool:
        """Run until the end, or until a message is not there yet; whether it is the end."""
        self.moved = False
        while self._next is not None:
            if isinstance(self._next, Recv) and not self._receive(self._next):
                self.stuck = print_instruction(self._next)
                return False
            self._do(self._next)
            self.moved = True
            self._next = next(self._left, None)
        return True

    def _do(self, instruction: Instruction) -> None:
        match instruction:
            case Launch(steps=steps):
                for step in steps:
                    self._compute(step)
            case Communicate(operand=operand, result=result):
                self.tiles[result] = communicate(instruction, self.mesh, self.tiles[operand])
            case Keep(operand=operand, result=result):
                self.tiles[result] = keep(instruction, self.mesh, self.tiles[operand])
            case Send(channel=channel, operand=operand):
                self.network.setdefault((channel, self.ranks.where), []).append(self.tiles[operand])
            case _:
                pass

    def _compute(self, step: Step) -> None:
        """One op on the tiles of all ranks; along an axis of the mesh where all hold copies, once for all."""
        lead = len(self.mesh.axes)
        operands = [self.tiles[name] for name in step.operands]
        alike = [axis for axis in range(lead) if all(a.strides[axis] == 0 for a in operands)]
        one = tuple(slice(1) if axis in alike else slice(None) for axis in range(lead))
        flattened = [a[one].reshape(-1, *a.shape[lead:]) for a in operands]
        with np.errstate(all="ignore"):
            value = step.op.lifted().reference(flattened)
        shape = [1 if axis in alike else size for axis, size in enumerate(self.mesh.shape)]
        value = value.reshape(*shape, *value.shape[1:])
        self.tiles[step.result] = np.broadcast_to(value, (*self.mesh.shape, *value.shape[lead:]))

    def _receive(self, instruction: Recv) -> bool:
        where = tuple(
            (axis, (index + instruction.steps) % self.sizes[axis] if axis == instruction.axis else index)
            for axis, index in self.ranks.where
        )
        queue = self.network.get((instruction.channel, where), [])
        if not queue:
            return False
        self.tiles[instruction.result] = self._as_own(queue.pop(0))
        return True

    def _as_own(self, tiles: Array) -> Array:
        """Tiles of another class, whose mesh may tell copies apart that this one does not, or the other way round."""
        one = tuple(slice(1) if size == 1 else slice(None) for size in self.mesh.shape)
        return np.broadcast_to(tiles[one], (*self.mesh.shape, *tiles.shape[len(one) :]))

    def outputs(self) -> Iterator[tuple[int, Array]]:
        """(number, array) of the results that the class holds."""
        for number, name in self.ranks.outputs:
            buffer = self.ranks[name]
            yield number, np.array(buffer.layout.collect(self.mesh, self.tiles[name], buffer.type.shape))


def _own_mesh(program: Program, ranks: RankClass) -> Mesh:
    """The mesh without what the class fixes; axes that nothing uses have one rank."""
    used = {axis for b in ranks.buffers for axis in (*b.layout.axes, *b.layout.partial)}
    used |= {axis for i in flat(ranks.body) if isinstance(i, Communicate | Keep) for axis in i.axes}
    fixed = {axis for axis, _ in ranks.where}
    return Mesh(
        tuple(
            MeshAxis(axis.name, axis.parts if axis.name in used else 1, "x")
            for axis in program.mesh.axes
            if axis.name not in fixed
        )
    )
