"""The invariants of a program, in prose, and their check.

1. Every rank is of exactly one class; `where` names axes of the mesh, each once, with indices within their sizes.
2. Blocks have names of their own and call only blocks before them; they hold no messages.
3. Collectives run over axes of the mesh, at least one, in the order of the mesh; messages along an axis of the mesh.
4. An event that is waited for is set in the same block or class; until it is first set it holds up nothing.
5. What is freed was taken; blocks leave memory as they found it.
6. Buffers of a class have names of their own. Instructions and steps read buffers of the class that are filled: weights
   and inputs from the start, others by what is before; each output number is given once over all classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from wsc.backends.gpu_cluster.instructions import (
    Alloc,
    Call,
    Communicate,
    Free,
    Instruction,
    Keep,
    Launch,
    Recv,
    Repeat,
    Send,
)
from wsc.backends.gpu_cluster.program import Program, RankClass, class_of_ranks, flat, once
from wsc.backends.gpu_cluster.text import print_instruction
from wsc.compiler.errors import VerificationError


def verify(program: Program) -> None:
    """Raise VerificationError naming the first invariant that the program breaks."""
    _classes(program)
    known: set[str] = set()
    for block in program.blocks:
        where = f"block '{block.name}'"
        if block.name in known:
            raise VerificationError(f"two blocks are called '{block.name}'")
        if any(isinstance(i, Send | Recv) for i in once(block.body)):
            raise VerificationError(f"{where} holds a message")
        _body(program, block.body, known, where)
        if left := _memory(block.body, where):
            raise VerificationError(f"{where} leaves '{next(iter(left))}' taken")
        known.add(block.name)
    for ranks in program.classes:
        _body(program, ranks.body, known, f"ranks{ranks.place}")
        _memory(ranks.body, f"ranks{ranks.place}")
        _buffers(ranks)
    _outputs(program)


def _classes(program: Program) -> None:
    sizes = {axis.name: axis.parts for axis in program.mesh.axes}
    for ranks in program.classes:
        axes = [axis for axis, _ in ranks.where]
        if len(set(axes)) < len(axes) or any(not 0 <= i < sizes.get(a, 0) for a, i in ranks.where):
            raise VerificationError(f"ranks{ranks.place}: no such place in the mesh")
    covered = sum(_size(sizes, ranks) for ranks in program.classes)
    if covered != program.ranks or (class_of_ranks(program) < 0).any():
        raise VerificationError(f"classes name {covered} ranks, and the mesh has {program.ranks}, each once")


def _size(sizes: dict[str, int], ranks: RankClass) -> int:
    fixed = {axis for axis, _ in ranks.where}
    count = 1
    for axis, size in sizes.items():
        count *= 1 if axis in fixed else size
    return count


def _body(program: Program, body: tuple[Instruction, ...], blocks: set[str], where: str) -> None:
    names = [axis.name for axis in program.mesh.axes]
    events = {event for i in once(body) if (event := getattr(i, "event", ""))}
    if any(repeat.times < 1 for repeat in _repeats(body)):
        raise VerificationError(f"{where}: a repeat takes at least one turn")
    for instruction in once(body):
        fault = _fault(instruction, names, blocks)
        if lost := [event for event in getattr(instruction, "after", ()) if event not in events]:
            fault = f"waits for '{lost[0]}', which nothing sets"
        if fault:
            raise VerificationError(f"{where}: {print_instruction(instruction)} {fault}")


def _repeats(body: tuple[Instruction, ...]) -> Iterator[Repeat]:
    for instruction in body:
        if isinstance(instruction, Repeat):
            yield instruction
            yield from _repeats(instruction.body)


def _fault(instruction: Instruction, axes: list[str], blocks: set[str]) -> str:
    """What is wrong with an instruction by itself; empty where nothing is."""
    match instruction:
        case Communicate(axes=over) | Keep(axes=over) if not over or list(over) != [
            axis for axis in axes if axis in over
        ]:
            return "is over no axes of the mesh, in its order"
        case Send(axis=axis) | Recv(axis=axis) if axis not in axes:
            return "is along no axis of the mesh"
        case Call(block=block, times=times) if block not in blocks or times < 1:
            return "calls no block before it, or takes no turns"
        case _:
            return ""


def _memory(body: tuple[Instruction, ...], where: str) -> Counter[str]:
    """What a body leaves taken, by name; raises where something is freed that is not taken."""
    held: Counter[str] = Counter()
    for instruction in flat(body):
        if isinstance(instruction, Alloc):
            held[instruction.name] += 1
        elif isinstance(instruction, Free):
            held[instruction.name] -= 1
            if held[instruction.name] < 0:
                raise VerificationError(f"{where}: '{instruction.name}' is freed, and not taken before")
    return +held


def _buffers(ranks: RankClass) -> None:
    where = f"ranks{ranks.place}"
    names = [buffer.name for buffer in ranks.buffers]
    if len(set(names)) < len(names):
        raise VerificationError(f"{where}: two buffers have one name")
    ready = {buffer.name for buffer in ranks.buffers if buffer.role != "local"}
    for instruction in once(ranks.body):
        for reads, writes in _uses(instruction):
            if late := [name for name in reads if name not in ready]:
                raise VerificationError(f"{where}: %{late[0]} is read before it is filled")
            if writes and writes not in ranks:
                raise VerificationError(f"{where}: %{writes} is no buffer")
            ready.add(writes)
    if missing := [name for _, name in ranks.outputs if name not in ready]:
        raise VerificationError(f"{where}: output %{missing[0]} is never filled")


def _uses(instruction: Instruction) -> Iterable[tuple[tuple[str, ...], str]]:
    """(what is read, what is written or "") of an instruction, step by step."""
    match instruction:
        case Launch(steps=steps):
            for step in steps:
                yield step.operands, step.result
        case Communicate(operand=operand, result=result) | Keep(operand=operand, result=result) if operand:
            yield (operand,), result
        case Send(operand=operand) if operand:
            yield (operand,), ""
        case Recv(result=result) if result:
            yield (), result
        case _:
            pass


def _outputs(program: Program) -> None:
    given = Counter(number for ranks in program.classes for number, _ in ranks.outputs)
    if sorted(given.elements()) != list(range(len(program.outputs))):
        raise VerificationError(
            f"the program has {len(program.outputs)} outputs, classes give {sorted(given.elements())}"
        )
