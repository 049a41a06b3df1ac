"""The null target beyond conformance: its cycles counted by hand, its memory at the edge."""

import pytest

from tests.compiler.graphs import model
from wsc.backends.null.machine import NullMachine, Unit
from wsc.backends.null.program import NullProgram
from wsc.backends.null.target import TARGET
from wsc.compiler.errors import DoesNotFit, SimulationError, UnsupportedModel, VerificationError
from wsc.compiler.ir.model import Model
from wsc.simulation.trace import Trace

MACS, READ, WRITTEN = 4 * 8 * 2, 4 * (4 * 8 + 2 * 8), 4 * 4 * 2
MEMORY = READ + 2 * WRITTEN  # the product and its ReLU, every tensor at once


def product() -> Model:
    return model(
        "%x = input(index=0) : f32[4,8]",
        "%w = parameter(key='w') : f32[2,8]",
        "%y = contract(equation='ak,nk->an', windows=()) %x %w : f32[4,2]",
        "%z = elementwise(fn='relu', scalars=(None,)) %y : f32[4,2]",
        "return %z",
    )


def machine(macs: int = 1, vector_ops: int = 1000, traffic: int = 1000, memory: int = MEMORY) -> NullMachine:
    figures = {
        "clock_hz": 1e9,
        "memory_bytes": memory,
        "memory_bytes_per_cycle": traffic,
        "macs_per_cycle": macs,
        "vector_ops_per_cycle": vector_ops,
    }
    sourced = {key: {"value": value, "source": "a test"} for key, value in figures.items()}
    return NullMachine(name="test", target="null", unit=Unit.model_validate(sourced))


def program(of: Model, on: NullMachine) -> NullProgram:
    return TARGET.emit(TARGET.plan(TARGET.legalize(of, on), on))


def simulated(on: NullMachine) -> Trace:
    return TARGET.simulate(program(product(), on), on)


@pytest.mark.parametrize(
    ("on", "contract", "relu"),
    [
        (machine(macs=MACS), 1, 1),
        (machine(macs=MACS - 1), 2, 1),
        (machine(macs=1), MACS, 1),
        (machine(macs=MACS, traffic=READ + WRITTEN), 1, 1),
        (machine(macs=MACS, traffic=READ + WRITTEN - 1), 2, 1),
        (machine(macs=MACS, vector_ops=8), 1, 1),
        (machine(macs=MACS, vector_ops=7), 1, 2),
    ],
)
def test_an_instruction_takes_its_arithmetic_or_its_traffic(
    on: NullMachine, contract: int, relu: int
) -> None:
    trace = simulated(on)
    assert [kernel.compute_cycles for kernel in trace.kernels] == [contract, relu]
    assert trace.latency_cycles == trace.interval_cycles == contract + relu


def test_the_bound_counts_the_arithmetic() -> None:
    on = machine(macs=3)
    assert TARGET.lower_bound(program(product(), on), on) == 22  # 64 / 3, rounded up


def test_the_longest_instruction_bounds() -> None:
    assert simulated(machine(macs=1)).bounded_by == "one unit does everything; longest: instruction y"


def test_memory_holds_the_model_to_the_byte() -> None:
    assert program(product(), machine(memory=MEMORY)).memory_bytes == MEMORY
    with pytest.raises(DoesNotFit, match=r"1 bytes too few\. A smaller model, or a machine file with more"):
        program(product(), machine(memory=MEMORY - 1))


def test_a_program_on_a_machine_with_less_memory_is_not_simulated() -> None:
    fitting = program(product(), machine())
    TARGET.simulate(fitting, machine(memory=MEMORY))
    with pytest.raises(SimulationError, match=f"takes {MEMORY} bytes of memory, and there are {MEMORY - 1}"):
        TARGET.simulate(fitting, machine(memory=MEMORY - 1))


def test_what_is_refused_is_listed() -> None:
    wide = model(
        "%x = input(index=0) : f64[4]",
        '%y = elementwise(fn=\'relu\', scalars=(None,)) %x : f64[4] at "m.py":3 in "a"',
        "return %y",
    )
    with pytest.raises(UnsupportedModel) as caught:
        TARGET.legalize(wide, machine())
    assert str(caught.value).splitlines() == [
        "'test' has no 64-bit floating point, use model.float():",
        "  input of f64[4] at unknown place",
        "  elementwise of f64[4] at m.py:3 (in a)",
    ]


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "null program version 2\nmemory 1\n",
        "null program version 1\nmemory x\n",
        "null program version 1\nmemory 1\n",
    ],
)
def test_text_of_something_else_is_refused(broken: str) -> None:
    with pytest.raises(VerificationError):
        TARGET.parse(broken)


def test_the_text() -> None:
    text = TARGET.print(program(product(), machine()))
    assert text.startswith(f'null program version 1\nmemory {MEMORY}\ngraph "test" version 1\n%x = input')
