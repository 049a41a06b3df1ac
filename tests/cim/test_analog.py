"""Analog mode: exact where nothing is wrong, and errors that follow from converters and noise as they must."""

import numpy as np
import pytest

from tests.cim.models import Made, bottleneck, linear, machine, make, planned, random_integers
from wsc.backends.cim.execute import execute
from wsc.backends.cim.execute.analog import Analog, Range, calibrate, execute_analog, full_scale
from wsc.backends.cim.execute.physics import Conditions, drift_factor, program_cells
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Product, Stage
from wsc.compiler.ops.base import Array

IDEAL = Conditions(ideal=True, adc_bits=24)


def one_product(on: CimMachine, rows: int = 128, columns: int = 32) -> tuple[Made, Stage, Product]:
    made = planned(*linear(rows, columns, 64), on)
    (stage,) = (stage for stage in made.program.stages if stage.product)
    assert stage.product is not None
    return made, stage, stage.product


def errors(analog: Analog, stage: Stage, product: Product, x: Array, w: Array) -> Array:
    exact = x.astype(np.int64) @ w.astype(np.int64)
    return np.asarray(analog.multiply(stage, product, 0, x, w) - exact)


@pytest.mark.parametrize("name", ["isaac", "hermes", "neurram", "jia"])
def test_without_noise_and_with_fine_converters_it_is_exact(name: str) -> None:
    made = make(*bottleneck(), machine(name))
    run = execute_analog(made.program, made.machine, made.model.weights, made.inputs, IDEAL)
    np.testing.assert_array_equal(run.outputs[0], execute(made.program, made.model.weights, made.inputs)[0])
    assert {layer.sqnr_db for layer in run.layers} == {np.inf}


def test_a_seed_decides_and_another_one_differs() -> None:
    made = make(*bottleneck(), machine("hermes"))

    def outputs(seed: int) -> Array:
        return execute_analog(
            made.program, made.machine, made.model.weights, made.inputs, Conditions(seed)
        ).outputs[0]

    np.testing.assert_array_equal(outputs(1), outputs(1))
    assert not np.array_equal(outputs(1), outputs(2))


@pytest.mark.parametrize("bits", [4, 5, 6, 7])
def test_error_of_the_converter_follows_its_step(bits: int) -> None:
    """Rounding to steps of D adds D^2 / 12 to each number, which digits and slices weigh by their factors."""
    isaac = machine("isaac")
    _, stage, product = one_product(isaac, rows=128)
    rng = np.random.default_rng(bits)
    x, w = random_integers(rng, (512, 128), 8), random_integers(rng, (128, 32), 8)
    chosen = Range(0.0, 192.0, bits)  # no column of this size leaves it
    analog = Analog(isaac, Conditions(ideal=True), {product.result: chosen})
    found = errors(analog, stage, product, x, w).std()
    slices = sum(4.0 ** (2 * i) for i in range(4))
    phases = sum(4.0**i for i in range(8))
    assert found == pytest.approx(np.sqrt(chosen.step**2 / 12 * slices * phases), rel=0.1)


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1])
def test_error_of_read_noise_follows_its_sigma(sigma: float) -> None:
    """Each cell that is read adds sigma of the range, so a column adds sigma^2 times the sum of squared digits."""
    on = machine("isaac", physics={"read_sigma": sigma, "programming_sigma": 0.0, "wire_ohm": 0.0})
    _, stage, product = one_product(on)
    rng = np.random.default_rng(7)
    x, w = random_integers(rng, (512, 128), 8), random_integers(rng, (128, 32), 8)
    # With rounding to whole levels the converter adds 1/12 to the variance of each number.
    analog = Analog(on, Conditions(), {product.result: Range(-(2.0**20), 2.0**20, 22)})
    found = errors(analog, stage, product, x, w).std()
    bits = (x.astype(np.int64)[:, :, None] >> np.arange(8)) & 1
    noise = (3 * sigma) ** 2 * bits.sum(1).mean(0) + 1 / 12
    slices = sum(4.0 ** (2 * i) for i in range(4))
    assert found == pytest.approx(np.sqrt(slices * (noise * 4.0 ** np.arange(8)).sum()), rel=0.1)


@pytest.mark.parametrize("sigma", [0.005, 0.02])
def test_error_of_programming_follows_its_sigma(sigma: float) -> None:
    on = machine(
        "hermes",
        physics={"read_sigma": 0.0, "programming_sigma": sigma, "wire_ohm": 0.0, "drift_exponent": 0.0},
    )
    levels = np.full((256, 256), 64)
    found = program_cells(levels, 127, on, Conditions(), np.random.default_rng(0))
    assert (found - levels).std() == pytest.approx(127 * sigma, rel=0.02)


def test_cells_drift_and_the_mean_is_taken_out() -> None:
    hermes = machine("hermes")
    year = 3600.0 * 24 * 365
    assert drift_factor(hermes.physics, Conditions(seconds=20.0)) == 1
    assert drift_factor(hermes.physics, Conditions(seconds=year)) == pytest.approx(
        (year / 20) ** -0.031, rel=1e-5
    )
    on = machine("hermes", physics={"programming_sigma": 0.0, "drift_sigma": 0.0, "wire_ohm": 0.0})
    levels = np.full((4, 4), 127)
    kept = program_cells(levels, 127, on, Conditions(seconds=year), np.random.default_rng(0))
    lost = program_cells(
        levels, 127, on, Conditions(seconds=year, compensated=False), np.random.default_rng(0)
    )
    np.testing.assert_allclose(kept, 127, rtol=1e-4)
    assert (lost < 90).all()


def test_wires_take_most_from_the_far_corner() -> None:
    on = machine("isaac", physics={"programming_sigma": 0.0, "wire_ohm": 5.0, "on_siemens": 1e-4})
    found = program_cells(np.full((128, 128), 3), 3, on, Conditions(), np.random.default_rng(0))
    assert found[-1, 0] == found.max()
    assert found[0, -1] == found.min()
    assert found[0, -1] == pytest.approx(3 / (1 + 256 * 5e-4), rel=0.05)


def test_stuck_cells_are_at_either_end() -> None:
    on = machine("isaac", physics={"programming_sigma": 0.0, "wire_ohm": 0.0, "stuck_fraction": 0.1})
    found = program_cells(np.full((200, 200), 1), 3, on, Conditions(), np.random.default_rng(0))
    assert (found < 0.01).mean() == pytest.approx(0.05, rel=0.15)
    assert (found > 2.99).mean() == pytest.approx(0.05, rel=0.15)


def test_ranges_come_from_samples() -> None:
    made, _, product = one_product(machine("isaac"))
    ranges = calibrate(made.program, made.machine, made.model.weights, [made.inputs], Conditions(ideal=True))
    chosen, whole = ranges[product.result], full_scale(product, made.machine, 8)
    assert 0 < chosen.high < whole.high == 384
    assert chosen.bits == 8


def test_conditions_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="a time of at least 0 and converters of 1 to 32 bits"):
        Conditions(seconds=-1)


@pytest.mark.parametrize("seconds", [0.0, 3600.0, 3.15e7])
@pytest.mark.parametrize("sigma", [0.01, 0.03])
def test_against_aihwkit(seconds: float, sigma: float) -> None:
    """The same pairs of cells, noise, drift and inputs in IBM's kit: the same error within 5 %. Where it installs."""
    pytest.importorskip("aihwkit", reason="IBM's aihwkit is not installed")
    import torch
    from aihwkit.inference.noise.custom import StateIndependentNoiseModel  # type: ignore[import-not-found]

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    levels = rng.integers(-127, 128, (256, 256))
    levels[0, 0] = 127  # their scale is the largest weight
    x = rng.normal(size=(256, 256))
    kit = StateIndependentNoiseModel(
        g_max=25.0,
        prog_coeff=[25.0 * sigma],
        drift_nu_mean=0.05,
        drift_nu_std=0.01,
        t_0=20.0,
        read_noise_scale=0.0,
    )
    theirs = kit.apply_noise(torch.tensor(levels, dtype=torch.float32), max(seconds, 1e-9)).numpy()
    physics = {"programming_sigma": sigma, "read_sigma": 0.0, "wire_ohm": 0.0, "on_off_ratio": 1e9}
    drift = {"drift_exponent": 0.05, "drift_sigma": 0.01, "drift_start_seconds": 20.0}
    on = machine("hermes", physics=physics | drift)
    conditions = Conditions(seconds=seconds + 20.0, compensated=False)
    plus, minus = (
        program_cells(np.maximum(sign * levels, 0), 127, on, conditions, np.random.default_rng(seed))
        for seed, sign in ((1, 1), (2, -1))
    )
    error, wanted = (np.linalg.norm(x @ (w - levels)) for w in (plus - minus, theirs))
    assert error == pytest.approx(wanted, rel=0.05)


def test_cells_that_drift_apart_add_an_error_that_grows_with_time() -> None:
    """Exponents with a spread of s move each cell by s * log(t / t0), which no common factor takes out."""
    still = {"programming_sigma": 0.0, "read_sigma": 0.0, "wire_ohm": 0.0}
    on = machine("hermes", physics={**still, "drift_sigma": 0.01})
    levels = np.full((200, 200), 127)
    for seconds in (1e3, 1e5):
        found = program_cells(levels, 127, on, Conditions(seconds=seconds), np.random.default_rng(0))
        assert (found / 127).std() == pytest.approx(0.01 * np.log(seconds / 20), rel=0.03)
    at_once = program_cells(levels, 127, on, Conditions(), np.random.default_rng(0))
    np.testing.assert_allclose(at_once, 127, rtol=1e-5)
