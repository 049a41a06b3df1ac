"""Cycles: products at their edges, pipelines that never deadlock, and more of a resource that is never slower."""

from dataclasses import replace

import pytest

from tests.cim.models import Made, bottleneck, linear, machine, make, mlp, planned
from wsc.backends.cim.estimate import product_interval
from wsc.backends.cim.simulate import simulate
from wsc.backends.cim.simulate.bound import lower_bound
from wsc.backends.cim.simulate.product import ProductTiming, product_timing, run_pipeline
from wsc.backends.cim.streams import least_room
from wsc.backends.registry import select
from wsc.compiler.errors import DoesNotFit, SimulationError


@pytest.fixture(scope="module")
def residual() -> Made:
    return make(*bottleneck(), machine("isaac"))


def test_a_product_of_isaac_takes_a_read_and_sixteen_conversions() -> None:
    assert run_pipeline(16, (128, 128, 1), True) == ProductTiming(128 + 16 * 128 + 1, 16 * 128)


def test_a_product_that_drains_takes_two_phases_more() -> None:
    assert run_pipeline(16, (100, 100, 100), False) == ProductTiming(1800, 1800)


def test_a_slow_converter_holds_up_the_array() -> None:
    assert run_pipeline(4, (10, 25, 1), True) == ProductTiming(10 + 4 * 25 + 1, 4 * 25)


@pytest.mark.parametrize("name", ["isaac", "puma", "pimcomp", "hermes", "neurram"])
def test_the_estimate_of_a_product_is_no_more_than_the_simulation(name: str) -> None:
    made = planned(*linear(300, 300, 4), machine(name))
    (product,) = (stage.product for stage in made.program.stages if stage.product)
    timing = product_timing(product, made.machine)
    assert timing.interval <= product_interval(made.machine, product.input_bits) + 1e-9
    assert timing.interval == pytest.approx(product_interval(made.machine, product.input_bits), rel=0.01)


def test_the_bound_holds(residual: Made) -> None:
    trace = simulate(residual.program, residual.machine)
    assert lower_bound(residual.program, residual.machine) <= trace.interval_cycles <= trace.latency_cycles


CHANGES = {
    "links": ("tile", "router_bytes_per_cycle"),
    "bus": ("tile", "bus_bytes_per_cycle"),
    "lanes": ("tile", "vector_ops_per_cycle"),
    "adders": ("tile", "adder_ops_per_cycle"),
    "host": ("chip", "host_bytes_per_cycle"),
    "converters": ("adc", "conversions_per_cycle"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_more_of_a_resource_is_never_slower(residual: Made, change: str) -> None:
    part, key = CHANGES[change]
    before = simulate(residual.program, residual.machine)
    more = machine("isaac", **{part: {key: 4 * getattr(getattr(residual.machine, part), key)}})
    after = simulate(residual.program, more)
    assert after.latency_cycles <= before.latency_cycles
    assert after.interval_cycles <= 1.01 * before.interval_cycles


def test_the_least_room_is_enough(residual: Made) -> None:
    """The eager schedule that capacities come from is a valid one: with no slack at all nothing gets stuck."""
    streams = residual.program.streams
    room = least_room(streams)
    tight = tuple(replace(s, capacity=r) for s, r in zip(streams, room, strict=True))
    loose = simulate(residual.program, residual.machine)
    trace = simulate(replace(residual.program, streams=tight), residual.machine)
    assert trace.interval_cycles >= 0.99 * loose.interval_cycles


def test_a_stream_without_the_room_it_needs_is_told(residual: Made) -> None:
    streams = tuple(replace(s, capacity=1) for s in residual.program.streams)
    told = r"nothing can go on: stages .* wait for each other; full: s\d+ to '.*' \(capacity 1\)"
    with pytest.raises(SimulationError, match=told):
        simulate(replace(residual.program, streams=streams), residual.machine)


def test_energy_is_told_by_component(residual: Made) -> None:
    trace = simulate(residual.program, residual.machine)
    joules = {part.component: part.joules for part in trace.energy}
    stages = [stage for stage in residual.program.stages if stage.product]
    products = sum(
        stage.chunks * stage.positions * sum(piece.units for piece in stage.pieces) for stage in stages
    )
    # 8 converters of an IMA draw 16 mW; a product of 8-bit inputs keeps one of them for 8 x 128 cycles.
    assert joules["ADC"] == pytest.approx(products * 2e-3 * 8 * 128 / 1.28e9)
    assert trace.energy_joules == pytest.approx(sum(joules.values()))


def test_a_model_that_fits_on_no_chip_says_how_many_it_takes() -> None:
    with pytest.raises(DoesNotFit, match=r"needs? .* 1 x 64: 2 chips are needed.*chip\.chips = 2"):
        planned(*linear(2560, 1760, 2), machine("hermes"))


def test_a_larger_model_spreads_over_chips() -> None:
    made = planned(*linear(2560, 1760, 2), machine("hermes", chip={"chips": 3}))
    assert made.plan.chips == 2
    assert {place[0] for place in made.program.places} == {0, 1}
    assert simulate(made.program, made.machine).interval_cycles > 0


def test_arrays_that_may_be_rewritten_are_reloaded() -> None:
    made = make(*mlp(64, 64, 64), machine("colonnade"))
    assert made.program.rounds > 1
    assert max(stage.passes for stage in made.program.stages) > 1
    trace = simulate(made.program, made.machine)
    assert trace.interval_cycles == trace.latency_cycles
    assert "rounds for each input" in trace.bounded_by
    assert {part.component for part in trace.energy} == {"writing cells"}
    facts = dict(select("colonnade").target.facts(made.plan))
    assert "last" in facts["reloading"]


def test_a_machine_too_small_is_refused(residual: Made) -> None:
    with pytest.raises(SimulationError, match="it takes 1 chips of 14 x 12 tiles, and there are 1 of 8 x 8"):
        simulate(residual.program, machine("hermes"))
    with pytest.raises(SimulationError, match="is for arrays of 128 x"):
        simulate(residual.program, machine("isaac", array={"encoding": "differential_columns"}))
