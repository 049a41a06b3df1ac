"""Speed of the cycle-level simulator: active core-cycles a second of CPU time, on one core.

    python -m benchmarks.cycle_speed [PARTS] [WORDS]

A tile counts in a cycle in which its router holds or moves a wavelet, or its core issues or moves a word; tiles that
only wait, or compute, are not visited and do not count.

The program is the heaviest there is: while its words move, a tile's router passes on about three wavelets in a cycle,
since most neighbours of an interleaved ring are two hops away, and its core sends a word and receives one.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise

from benchmarks.wafer_sets import machine
from wsc.backends.wafer.algorithms.resident import resident_program
from wsc.backends.wafer.instructions import Shift
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Program
from wsc.backends.wafer.simulate.cycle.build import build
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis
from wsc.simulation.fabric import Machine


def program(parts: int, words: int, steps: int, wafer: Wafer) -> Program:
    """Tiles that shift along the rows of a square, again and again: every core and every router is busy."""
    mesh = Mesh((MeshAxis("i", parts, "y"), MeshAxis("j", parts, "x")))
    layout = Layout(((Cut("i", 1),), (Cut("j", words),)))
    tensor = TensorType(DType.F32, (parts, parts * words))
    names = ["x", *(f"t{i}" for i in range(1, steps)), "y"]
    roles = ["input", *["local"] * (steps - 1), "output"]
    buffers = [
        Buffer(n, tensor, layout, r, "" if r == "local" else n) for n, r in zip(names, roles, strict=True)
    ]
    moves = [Instruction(Shift("j", 1, "interleaved"), (a,), b) for a, b in pairwise(names)]
    return resident_program("shifts", wafer, mesh, buffers, moves)


def measure(parts: int, words: int, steps: int = 3) -> tuple[int, int, float]:
    """(cycles, active core-cycles, seconds of CPU time), without the time to build and to compile."""
    wafer = machine("wse2").model_copy(
        update={"core": machine("wse2").core.model_copy(update={"exchange_cycles_per_word": 1.0})}
    )
    built, _ = build(program(parts, words, steps, wafer), wafer, 1)
    warm, _ = build(program(2, 4, 1, wafer), wafer, 1)
    Machine(warm.fabric, warm.routes, warm.cores).run()
    fabric = Machine(built.fabric, built.routes, built.cores)
    start = time.process_time()
    cycles = fabric.run()
    return cycles, fabric.active_core_cycles, time.process_time() - start


def main(arguments: list[str]) -> None:
    parts, words = (int(a) for a in (arguments + ["64", "1000"][len(arguments) :]))
    cycles, active, seconds = measure(parts, words)
    share = active / (cycles * parts * parts)
    print(f"{parts} x {parts} cores, {cycles:,} cycles, {share:.0%} of the tiles active")
    print(f"{active:,} active core-cycles in {seconds:.2f} s: {active / seconds / 1e6:.1f} million a second")


if __name__ == "__main__":
    main(sys.argv[1:])
