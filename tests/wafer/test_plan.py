"""Plans: lawful placements, readers, refusals, and the same program every time."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from tests.compiler.graphs import graph, model
from tests.wafer.compiling import (
    Compiled,
    check_golden,
    check_numbers,
    compile_for,
    machine,
    quick_placement,
    sized,
)
from tests.wafer.models import MODELS, attention_block, layers, many_readers, mlp
from tests.wafer.random_models import random_models
from wsc.backends.wafer import plan as plan_module
from wsc.backends.wafer.emit.program import emit
from wsc.backends.wafer.facts import plan_facts
from wsc.backends.wafer.instructions import Send
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.plan import make_plan
from wsc.backends.wafer.program import HOST
from wsc.backends.wafer.text import print_program
from wsc.compiler.errors import DoesNotFit, InternalError
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array

EVERY_MODEL = pytest.mark.parametrize("name", sorted(MODELS))


# --- placement


def check_regions(found: Compiled, wafer: Wafer) -> None:
    """Regions lie on the fabric and on no core of each other; the program has them where the plan has."""
    taken = np.zeros((wafer.grid.height_cores, wafer.grid.width_cores), int)
    for planned, kernel in zip(found.plan.kernels, found.program.kernels, strict=True):
        assert (planned.kernel.name, planned.x, planned.y) == (kernel.name, kernel.x, kernel.y)
        assert (kernel.width, kernel.height) == (planned.candidate.width, planned.candidate.height)
        region = taken[kernel.y : kernel.y + kernel.height, kernel.x : kernel.x + kernel.width]
        assert region.shape == (kernel.height, kernel.width)
        region += 1
    assert taken.max() == 1
    assert taken.sum() == found.program.cores_used == found.plan.placement.cores_used


@EVERY_MODEL
def test_placements_are_lawful(name: str) -> None:
    for wafer in ("wafer-4x4", "wafer-16x16"):
        check_regions(compile_for(wafer, MODELS[name]()), machine(wafer))


@settings(max_examples=10)
@given(random_models())
def test_placements_of_random_models_are_lawful(made: tuple[Model, list[Array]]) -> None:
    check_regions(compile_for("wafer-8x8", made[0]), machine("wafer-8x8"))


def test_a_placement_that_is_not_lawful_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def overlapping(problem: object, told: object) -> object:
        found = solve(problem)
        return replace(found, placed=tuple(replace(p, x=0, y=0) for p in found.placed))

    with quick_placement():
        solve = plan_module.solve
        monkeypatch.setattr(plan_module, "solve", overlapping)
        with pytest.raises(InternalError, match="the placement of 'test' is not legal: up and down overlap"):
            make_plan(mlp().graph, machine("wafer-4x4"))


def test_progress_says_the_slowest_kernel_and_its_bound() -> None:
    said: list[tuple[str, int, int]] = []
    with quick_placement():
        plan = make_plan(mlp().graph, machine("wafer-4x4"), lambda *now: said.append(now))
    slowest = max(kernel.candidate.cycles for kernel in plan.kernels)
    assert said[-1][0].startswith(f"slowest kernel {slowest:,} cycles, ")
    assert [done for _, done, _ in said] == sorted(done for _, done, _ in said)
    assert said[-1][1:] == (100, 100)


# --- kernels of one structure


def test_equal_kernels_share_their_candidates_and_drafts() -> None:
    found = compile_for("wafer-16x16", layers(4, rows=64))
    ups = [k for k in found.program.kernels if k.buffers[1].key.endswith("w")]
    assert len(ups) == 4
    by_mesh = {str(k.mesh): [b.type for b in k.buffers] for k in ups}
    for kernel in ups:
        assert [b.type for b in kernel.buffers] == by_mesh[str(kernel.mesh)]
    assert len({k.buffers[1].key for k in ups}) == 4


def test_every_reader_has_a_stream() -> None:
    program = compile_for("wafer-8x8", many_readers()).program
    streams = {s.name: s for s in program.streams}
    for kernel in program.kernels:
        sends = [i.op.stream for i in kernel.instructions() if isinstance(i.op, Send)]
        assert {streams[name].source.kernel for name in sends} <= {kernel.name}
        assert len(sends) == sum(s.source.kernel == kernel.name for s in program.streams)
    linear = next(k for k in program.kernels if k.group == "linear")
    assert sum(s.source.kernel == linear.name for s in program.streams) == 7
    outputs = [(s.source.kernel, s.target.buffer) for s in program.streams if s.target.kernel == HOST]
    assert [name for _, name in outputs] == ["out0", "out1", "out2", "out3"]
    assert outputs[0][0] == outputs[3][0] == linear.name


def test_a_module_may_be_called_host() -> None:
    """The name means the host in streams; its kernel gets another."""
    made = model(
        "%x = input(index=0) : f32[4,6]",
        "%w = parameter(key='w') : f32[6,6]",
        '%y = contract(equation=\'ak,nk->an\') %x %w : f32[4,6] at "m.py":1 in "host"',
        '%z = softmax(dim=1) %y : f32[4,6] at "m.py":2 in "tail"',
        "return %z",
    )
    found = compile_for("wafer-4x4", made)
    assert HOST not in {k.name for k in found.program.kernels}
    check_numbers(found)


def test_chunks_are_as_many_as_rows_allow() -> None:
    program = compile_for("wafer-8x8", attention_block(rows=48)).program
    assert [k.chunks for k in program.kernels] == [3] * 6
    attention = next(k for k in program.kernels if k.group == "attention")
    ends = [(s.source.chunks, s.target.chunks) for s in program.streams if s.target.kernel == attention.name]
    assert ends == [(3, 3), (3, 1), (3, 1)]
    assert {i.op.kind for i in attention.once} >= {"recv"}


def test_chunks_get_shorter_where_memory_is_short() -> None:
    """What doesn't fit in chunks of 16 rows and more is tried in shorter ones."""
    made = mlp(rows=256, wide=64)
    roomy = compile_for(sized(2, 2), made).program
    assert {k.chunks for k in roomy.kernels} == {8}
    for room, chunks in ((12_000, 16), (8_000, 32)):
        tight = compile_for(sized(2, 2, sram_bytes=room), made)
        assert {k.chunks for k in tight.program.kernels} == {chunks}
        check_numbers(tight)


# --- what does not fit


def refusal(made: Model, wafer: Wafer) -> str:
    with pytest.raises(DoesNotFit) as caught:
        compile_for(wafer, made)
    return f"{caught.value}\n"


def test_what_does_not_fit_is_refused() -> None:
    wide = model(
        "%x = input(index=0) : f32[2,4096]",
        '%y = scan(fn=\'sum\', dim=1) %x : f32[2,4096] at "wide.py":3 in "wide"',
        "return %y",
    )
    heavy = graph(
        "%x = input(index=0) : f32[4,100000]",
        "%w = parameter(key='w') : f32[150000,100000]",
        "%y = contract(equation='ak,nk->an') %x %w : f32[4,150000]",
        "return %y",
    )
    messages = [
        refusal(wide, machine("wafer-8x8")),  # one core must see a row whole
        refusal(Model(heavy, {}), machine("wse2")),  # more weights than all memory
        refusal(layers(9), machine("wafer-4x4")),  # more kernels than cores
        refusal(mlp(), sized(1, 1)),
    ]
    check_golden("does_not_fit.txt", "".join(messages))


def test_what_just_fits_is_taken() -> None:
    """One kernel a core: 16 on 16 cores."""
    lines = ["%v0 = input(index=0) : f32[3,4]"]
    lines += [f"%v{i} = scan(fn='sum', dim={i % 2}) %v{i - 1} : f32[3,4]" for i in range(1, 17)]
    found = compile_for("wafer-4x4", model(*lines, "return %v16"))
    assert found.program.cores_used == 16
    check_numbers(found)


# --- what a plan says about itself


def test_facts() -> None:
    lines = []
    for name in ("layers", "decoder_step"):
        found = compile_for("wafer-8x8", MODELS[name]())
        lines += [f"{name}", *(f"  {key}: {value}" for key, value in plan_facts(found.plan))]
    check_golden("facts.txt", "\n".join(lines) + "\n")


# --- the same every time

ROOT = Path(__file__).parents[2]
SCRIPT = """
import hashlib
from tests.wafer.compiling import machine
from tests.wafer.models import MODELS
from wsc.backends.wafer.emit.program import emit
from wsc.backends.wafer.legalize import legalize
from wsc.backends.wafer.plan import make_plan
from wsc.backends.wafer.text import print_program
from wsc.compiler.passes.pipeline import run_pipeline

wafer = machine("wafer-8x8")
for name in ("attention_block", "many_readers"):
    made = legalize(run_pipeline(MODELS[name]()), wafer)
    print(hashlib.sha256(print_program(emit(make_plan(made.graph, wafer))).encode()).hexdigest())
"""


@EVERY_MODEL
def test_the_same_program_twice(name: str) -> None:
    first, second = (print_program(compile_for("wafer-8x8", MODELS[name]()).program) for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_the_same_program_whatever_the_hashes_of_strings() -> None:
    """Placed by the exact solver too, as a user's model is."""
    found = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert len(found.pop().split()) == 2


def test_a_plan_is_emitted_alike_twice() -> None:
    plan = compile_for("wafer-8x8", attention_block()).plan
    assert emit(plan) == emit(plan)
