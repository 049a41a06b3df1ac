"""Loops: what overlaps, what waits, and what a step of a matrix product takes."""

from math import ceil

from tests.wafer.simulate.programs import kernel, wafer
from wsc.backends.wafer.algorithms import Product, matmul_program
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.text import parse_program
from wsc.compiler.ir.types import DType


def loop_cycles(program: Program, machine: Wafer) -> int:
    return int(simulate(program, machine).kernels[0].steps[-1].latency_cycles)


def summa(parts: int, tile: int, **figures: float) -> int:
    machine = wafer("wse2", **figures)
    size = Product(parts * tile, parts * tile, parts * tile, parts, DType.F32)
    return loop_cycles(matmul_program("summa", size, machine), machine)


def test_a_step_of_summa_on_one_core() -> None:
    """Two broadcasts of 16 words, with control and two ramps, then 16 vectors of 4 multiply-adds."""
    assert summa(1, 4) == 2 * (30 + 190 + 16) + 4 + ceil(30 + 16 * 17 + 64 * 2.45)


def test_hops_count_once_and_not_every_step() -> None:
    """A step more is a step, one hop of the root and one hop of the way to the farthest core."""
    steps = [summa(parts, 8) for parts in (10, 20, 30)]
    assert steps[2] - steps[1] == steps[1] - steps[0]
    far, near = (summa(700, 8, hop_cycles=hop) for hop in (2, 1))
    assert 700 <= far - near <= 2 * 700


def ring(words: int, steps: int, by_a: str) -> Program:
    lines = f"""
    buffer %a f32[3,{words}] [p:1,.] input "a" @0
    buffer %c f32[3,{words}] [p:1,.] output "c" @0
    buffer %s f32[3,{words}] [p:1,.] local @0
    %c = loop(steps={steps}) %a
      %s = {by_a} %a
    done
    """
    text = kernel("k", "0,0", "p=3x", lines)
    head = (
        'wafer program "ring" version 1 on "wafer-4x4" 4x4\n'
        f'input "a" f32[3,{words}]\noutput "c" f32[3,{words}]\n'
    )
    body = text.replace(f"  %s = {by_a}", f"    %s = {by_a}")
    return parse_program(head + body + "\n")


def test_a_shift_to_the_neighbour_is_there_at_its_cycle() -> None:
    """Two tasks, 10 words at 2.64 cycles, and on the interleaved ring two hops and two ramps."""
    near = ring(10, 1, "shift(axis='p', by=1, ring='interleaved')")
    assert loop_cycles(near, wafer()) == 60 + ceil(26.4) + 2 + 4
    assert loop_cycles(near, wafer(hop_cycles=2)) == 60 + ceil(26.4) + 4 + 4


def test_cannons_wrap_is_as_long_as_the_line_and_is_seen_once() -> None:
    """What a part waits for waited for another in the step before: two parts a step in the mean, as MeshGEMM's."""
    machine = wafer("wse2")
    size = Product(64 * 8, 64 * 8, 64 * 8, 64, DType.F32)
    cannon, mesh = (loop_cycles(matmul_program(a, size, machine), machine) for a in ("cannon", "meshgemm"))
    assert cannon - mesh == 63 - 2
