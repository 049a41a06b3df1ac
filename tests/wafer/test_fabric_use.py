"""Colours and switch positions of a pipeline: counted, told, and run out of with a clear error."""

import re
from dataclasses import replace

import pytest

from tests.wafer.compiling import compile_for, machine
from tests.wafer.models import MODELS
from tests.wafer.simulate.programs import wafer
from wsc.backends.wafer.emit.pipeline import emit_pipeline
from wsc.backends.wafer.fabric_use import fabric_use
from wsc.backends.wafer.movement.program import expand_program
from wsc.backends.wafer.program import HOST, Program
from wsc.backends.wafer.target import WaferTarget
from wsc.compiler.errors import DoesNotFit


@pytest.mark.parametrize("name", sorted(MODELS)[:4])
def test_as_many_colours_as_fit_and_meet(name: str) -> None:
    """No more than there are, and at a router no more than in all; a whole allocation finds room too."""
    small = machine("wafer-8x8")
    program = compile_for("wafer-8x8", MODELS[name]()).program
    use = fabric_use(program, small)
    assert use is not None
    assert 0 < use.colors <= use.numbers <= use.available == small.fabric.colors
    assert 1 <= use.positions <= small.fabric.switch_positions
    assert expand_program(program, small).colored.used <= small.fabric.colors


def test_the_summary_tells() -> None:
    compiled = compile_for("wafer-8x8", MODELS["mlp"]())
    target = WaferTarget()
    facts = dict(target.facts(compiled.plan))
    assert re.fullmatch(
        r"at most \d+ of 21 at a router, at \(\d+, \d+\) in '[\w.]+'; \d+ in all", facts["colours"]
    )
    assert re.fullmatch(r"at most \d at a router", facts["switch positions"])


def test_too_few_colours_name_the_kernel() -> None:
    program = compile_for("wafer-8x8", MODELS["mlp"]()).program
    with pytest.raises(DoesNotFit) as caught:
        fabric_use(program, wafer("wafer-8x8", colors=2))
    assert str(caught.value) == (
        "kernel 'up' (mlp.py:7 (in up)) takes 2 colours at least, and the streams that pass through its region 2:"
        " wafer-8x8 has 2. A cut over fewer axes, or fewer streams through the region, takes fewer"
    )


def test_fewer_colours_do_until_there_are_too_few() -> None:
    program = compile_for("wafer-8x8", MODELS["mlp"]()).program
    least = next(n for n in range(1, 22) if _fits(program, n))
    assert 3 <= least < 12
    assert not _fits(program, least - 1)


def _fits(program: Program, colors: int, name: str = "wafer-8x8") -> bool:
    try:
        return fabric_use(program, wafer(name, colors=colors)) is not None
    except DoesNotFit:
        return False


def test_streams_turn_where_colours_run_out() -> None:
    """On one colour fewer than its routes take, the program goes other ways, and says the same."""
    compiled = compile_for("wafer-16x16", MODELS["attention_block"]())
    least = next(n for n in range(1, 22) if _fits(compiled.program, n, "wafer-16x16"))
    few = wafer("wafer-16x16", colors=least - 1)
    program, use = emit_pipeline(replace(compiled.plan, machine=few))
    assert use is not None
    assert use.colors < least
    turned = [s.name for s, t in zip(program.streams, compiled.program.streams, strict=True) if s != t]
    assert turned
    assert HOST not in {
        k for s in program.streams if s.name in turned for k in (s.source.kernel, s.target.kernel)
    }


def test_without_ways_that_do_a_pipeline_is_refused() -> None:
    compiled = compile_for("wafer-8x8", MODELS["mlp"]())
    with pytest.raises(DoesNotFit, match="colours at least"):
        emit_pipeline(replace(compiled.plan, machine=wafer("wafer-8x8", colors=2)))
