"""The program's text, golden and broken."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.cim.models import Made, machine, make, mlp
from tests.compiler.golden import check
from wsc.backends.cim.program import Program, Span, Stream
from wsc.backends.cim.text import parse_program, print_program
from wsc.backends.cim.verify import verify
from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.types import DType, TensorType


@pytest.fixture(scope="module")
def made() -> Made:
    small = {"width_tiles": 2, "height_tiles": 1}
    return make(*mlp(200, 20, 4, batch=2), machine("isaac", chip=small))


def test_the_text_is_as_agreed(made: Made) -> None:
    text = print_program(made.program)
    check("cim_program.txt", text)
    assert parse_program(text) == made.program


def first_stage(program: Program, **changes: object) -> Program:
    stage = next(stage for stage in program.stages if stage.product)
    return replace(
        program,
        stages=tuple(replace(s, **changes) if s is stage else s for s in program.stages),  # type: ignore[arg-type]
    )


BROKEN: dict[str, tuple[Callable[[Program], Program], str]] = {
    "a block twice": (
        lambda p: first_stage(p, pieces=2 * next(s for s in p.stages if s.product).pieces),
        "blocks, not",
    ),
    "no pieces": (lambda p: first_stage(p, pieces=()), "has no chunk, copy, pass or piece"),
    "a tile nowhere": (lambda p: replace(p, places=()), "has no place"),
    "two tiles at one place": (lambda p: replace(p, places=2 * p.places[:1]), "is there 2 times"),
    "a stage twice": (lambda p: replace(p, stages=2 * p.stages), "is there 2 times"),
    "an output that stays": (lambda p: replace(p, streams=p.streams[:-1]), "does not leave as"),
    "a stream from nowhere": (
        lambda p: replace(p, streams=(replace(p.streams[0], source="nowhere"), *p.streams[1:])),
        "which are not both there",
    ),
    "no room": (
        lambda p: replace(p, streams=(replace(p.streams[0], capacity=0), *p.streams[1:])),
        "has no room or no chunks",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_program_is_refused(made: Made, fault: str) -> None:
    change, said = BROKEN[fault]
    with pytest.raises(VerificationError, match=said):
        verify(change(made.program))


def test_a_window_over_chunks() -> None:
    """Rows of a 3 x 3 convolution with stride 2, two rows a chunk at both ends: the edges of what is needed."""
    kind = TensorType(DType.I8, (1, 4, 8, 8))
    stream = Stream("s", "a", "b", "t", kind, 8, 2, 4, 2, 2, Span(2, 1, 3), 2, (0,))
    assert [stream.needed(k) for k in range(2)] == [2, 4]
    assert [stream.freed(k) for k in range(2)] == [1, 4]
    whole = replace(stream, span=None)
    assert [whole.needed(0), whole.freed(0), whole.freed(1)] == [4, 0, 4]
