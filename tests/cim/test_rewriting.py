"""Products of two activations: on arrays written for them or on lanes, whichever is faster, and what writing costs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.cim.models import Made, machine
from wsc.backends.cim.execute import execute
from wsc.backends.cim.execute.analog import execute_analog
from wsc.backends.cim.execute.physics import Conditions
from wsc.backends.cim.facts import plan_facts
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Product, Stage
from wsc.backends.cim.rewriting import Shape, array_cycles, lane_cycles, rewritten, units_of
from wsc.backends.cim.simulate import simulate
from wsc.backends.cim.text import parse_program, print_program
from wsc.backends.cim.verify import verify
from wsc.backends.registry import Selection, select
from wsc.compiler.errors import UnsupportedModel, VerificationError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.driver import quantized
from wsc.frontend.capture import capture


class SelfAttention(nn.Module):
    """Causal attention with its products by weights."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, seq, dim = x.shape
        q, k, v = (
            part.view(batch, seq, self.heads, -1).transpose(1, 2) for part in self.qkv(x).split(dim, 2)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, seq, dim))


def compiled(on: CimMachine, dim: int = 32, heads: int = 2, seq: int = 24) -> Made:
    torch.manual_seed(0)
    captured = capture(SelfAttention(dim, heads), (torch.randn(1, seq, dim),), "attention")
    assert captured.example_inputs is not None
    target = select("isaac").target
    simple = run_pipeline(captured.model)
    model = quantized(simple, Selection(target, on, ""), samples=[captured.example_inputs])
    legal = target.legalize(model, on)
    plan = target.plan(legal, on)
    return Made(legal, captured.example_inputs, on, plan, target.emit(plan))


@pytest.fixture(scope="module")
def written() -> Made:
    """On a chip of many SRAM arrays whose lanes are slow."""
    return compiled(machine("neurosim-22nm", tile={"digital_macs_per_cycle": 0.01}))


def products(made: Made) -> list[tuple[Stage, Product]]:
    return [(s, s.product) for s in made.program.stages if s.product and s.product.rewritten]


def test_the_faster_way_is_taken() -> None:
    """The same attention: Colonnade's arrays are faster than its lanes, Jia's slower, ISAAC's bear no writes."""
    model = captured_model()
    assert rewritten(model, machine("colonnade"), 8) == {"scaled_dot_product_attention"}
    assert rewritten(model, machine("jia"), 8) == frozenset()
    assert rewritten(model, machine("isaac"), 16) == frozenset()


def captured_model():  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    return run_pipeline(capture(SelfAttention(32, 2), (torch.randn(1, 24, 32),), "attention").model)


def test_dear_writes_turn_the_choice() -> None:
    model = captured_model()
    cheap, dear = (machine("colonnade", write={"row_cycles": cycles}) for cycles in (1.0, 1e4))
    assert rewritten(model, cheap, 8)
    assert not rewritten(model, dear, 8)


def test_the_modelled_times_are_those_of_the_parts() -> None:
    on = machine("colonnade")  # one unit of 128 x 16 weights of 8 bits, 8 cycles a product
    shape = Shape(groups=2, rows=16, columns=24, positions=24)
    assert units_of(shape, on, 8) == 4
    assert lane_cycles(shape, on, 1) == 2 * 16 * 24 * 24 / 8
    assert array_cycles(shape, on, 8, free=1) == 4 * (max(16, 16 * 16 / 16) + 24 * 8)
    assert array_cycles(shape, machine("colonnade", chip={"reload": False}), 8, free=1) == float("inf")


def test_it_computes_what_the_quantised_model_computes(written: Made) -> None:
    assert len(products(written)) == 2
    (wanted,) = interpret(written.model.graph, written.inputs, written.model.weights)
    (found,) = execute(written.program, written.model.weights, written.inputs)
    np.testing.assert_array_equal(found, wanted)
    ideal = Conditions(ideal=True, adc_bits=24)
    run = execute_analog(written.program, written.machine, written.model.weights, written.inputs, ideal)
    np.testing.assert_array_equal(run.outputs[0], wanted)
    assert len(run.layers) == 4  # two products by weights, two of activations


def test_its_text_reads_back(written: Made) -> None:
    text = print_program(written.program)
    assert "written %" in text
    assert parse_program(text) == written.program


def test_writing_takes_its_time_and_its_energy(written: Made) -> None:
    """Every row of the largest matrix that is written costs its cycles, in each product, one after the other."""
    slower = machine(
        "neurosim-22nm",
        tile={"digital_macs_per_cycle": 0.01},
        write={"row_cycles": 1001.0, "cell_joules": 1e-9},
    )
    before, after = simulate(written.program, written.machine), simulate(written.program, slower)
    rows = sum(min(p.rows, p.block_rows) for _, p in products(written))
    # Values arrive while scores are computed: the second write may begin before the first product has ended.
    assert 1000 * rows / 2 <= after.latency_cycles - before.latency_cycles <= 1000 * rows
    cells = sum(s.copies * p.weight_type.elements * 8 for s, p in products(written))
    joules = {part.component: part.joules for part in after.energy}
    assert joules["writing cells"] == pytest.approx(cells * 1e-9)
    told = dict(plan_facts(written.plan))["written for every input"]
    assert "2 products of two activations" in told


def test_arrays_that_are_refilled_take_products_of_activations_too() -> None:
    made = compiled(machine("colonnade"))
    assert made.program.rounds > 1
    assert len(products(made)) == 2
    (wanted,) = interpret(made.model.graph, made.inputs, made.model.weights)
    np.testing.assert_array_equal(execute(made.program, made.model.weights, made.inputs)[0], wanted)
    assert simulate(made.program, made.machine).latency_cycles > 0


def test_cells_that_bear_no_writes_are_refused(written: Made) -> None:
    target = select("isaac").target
    with pytest.raises(UnsupportedModel, match="cannot run 2 nodes"):
        target.legalize(written.model, machine("isaac"))


def test_a_matrix_that_no_stream_brings_is_found(written: Made) -> None:
    _, product = products(written)[0]
    streams = tuple(s for s in written.program.streams if s.tensor != product.weight)
    with pytest.raises(VerificationError, match="which no stream brings"):
        verify(replace(written.program, streams=streams))
