"""How much slower the chosen reduce, or all-reduce, is than the best of all, by simulated cycles.

    python -m benchmarks.reduce_choice [--machine wse2] [--words 1,2,...] [--parts 2,3,...]

Every algorithm with every group and root that the choice knows is simulated for every length of a line and every
number of 32-bit words; of the groups of two phases on lines of more than 64 cores, those near the best by their closed
form and a sample of the others. The measure: never more than 1.1 times the best.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import wsc.backends.wafer
from wsc.backends.wafer.algorithms import (
    ReduceChoice,
    all_reduce_cycles,
    all_reduce_options,
    choose_all_reduce,
    choose_reduce,
    reduce_cycles,
    reduce_options,
)
from wsc.backends.wafer.instructions import AllReduce, Move, ReduceTo
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.moves import move_cost
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis
from wsc.compiler.machine import read_machine

MACHINES = Path(wsc.backends.wafer.__file__).parent / "machines"
WORDS = (1, 2, 4, 7, 12, 20, 33, 64, 110, 181, 300, 512, 900, 1500, 2500, 4096)
PARTS = (2, 3, 4, 5, 7, 8, 11, 16, 23, 32, 45, 64, 90, 128, 181, 256, 360, 512, 660, 750)
ALL_GROUPS = 64  # cores of the longest line of which every group is simulated
NEAR, SAMPLED = 12, 24


def simulated(machine: Wafer, op: Move, words: int, parts: int) -> int:
    """Cycles of a movement of `words` words on every core of a line, by the simulator."""
    mesh = Mesh((MeshAxis("p", parts, "x"),))
    lying = Layout(((Cut("p", 1),), ()))
    buffer = Buffer("x", TensorType(DType.F32, (parts, words)), lying, "input", "x")
    return move_cost(machine, mesh, op, [buffer], buffer).latency


def options(machine: Wafer, words: int, parts: int, *, everywhere: bool) -> Iterator[ReduceChoice]:
    """What the choice is held against."""
    ends = [(name, group, 0) for name, group in reduce_options(parts)]
    named = all_reduce_options(parts) if everywhere else ends
    found = []
    for name, group, root in named:
        if everywhere:
            cycles = all_reduce_cycles(name, words, parts, machine, group, root)
        else:
            cycles = reduce_cycles(name, words, parts, machine, group)
        found.append(ReduceChoice(name, group, cycles, root))
    if parts <= ALL_GROUPS:
        yield from found
        return
    found.sort(key=lambda choice: choice.cycles)
    yield from found[:NEAR]
    rest = found[NEAR:]
    few = [choice for choice in rest if choice.algorithm != "two-phase"]
    many = [choice for choice in rest if choice.algorithm == "two-phase"]
    yield from few + many[:: max(1, len(many) // SAMPLED)]


def instruction(choice: ReduceChoice, *, everywhere: bool) -> Move:
    """The movement of a choice."""
    if everywhere:
        return AllReduce("p", "sum", choice.algorithm, choice.group, choice.root or None)
    return ReduceTo("p", "sum", choice.algorithm, choice.group)


def regret(machine: Wafer, words: int, parts: int, *, everywhere: bool) -> tuple[float, str, str]:
    """Simulated cycles of the choice over those of the best, and the names of both."""

    def cycles(choice: ReduceChoice) -> int:
        return simulated(machine, instruction(choice, everywhere=everywhere), words, parts)

    choose: Callable[[int, int, Wafer], ReduceChoice] = choose_all_reduce if everywhere else choose_reduce
    chosen = choose(words, parts, machine)
    best = min(options(machine, words, parts, everywhere=everywhere), key=cycles)
    return cycles(chosen) / min(cycles(best), cycles(chosen)), _named(chosen), _named(best)


def _named(choice: ReduceChoice) -> str:
    group = f" of {choice.group}" if choice.group else ""
    return f"{choice.algorithm}{group}" + (" from both sides" if choice.root else "")


def report(machine: Wafer, words: Sequence[int], parts: Sequence[int]) -> None:
    """Print the worst and the mean regret, and the algorithms chosen."""
    for everywhere in (False, True):
        found = [(*regret(machine, b, p, everywhere=everywhere), b, p) for p in parts for b in words]
        worst = max(found)
        mean = sum(row[0] for row in found) / len(found)
        title = "all-reduce" if everywhere else "reduce"
        print(f"{title} on {machine.name}: {len(found)} cases, mean regret {mean:.4f}, worst {worst[0]:.4f}")
        print(f"  at B = {worst[3]}, P = {worst[4]}: chosen {worst[1]}, best {worst[2]}")
        names = sorted({re.sub(r" of \d+", "", row[1]) for row in found})
        print(f"  chosen somewhere: {', '.join(names)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--machine", default="wse2")
    parser.add_argument("--words", default=",".join(map(str, WORDS)))
    parser.add_argument("--parts", default=",".join(map(str, PARTS)))
    given = parser.parse_args()
    words, parts = ([int(n) for n in text.split(",")] for text in (given.words, given.parts))
    report(read_machine(MACHINES / f"{given.machine}.toml", Wafer), words, parts)


if __name__ == "__main__":
    main()
