"""Machines as data: derived figures against published ones, and files that cannot be."""

from pathlib import Path

import pytest

from wsc.backends.cim.figures import Comparison, compared
from wsc.backends.registry import machine_names, select
from wsc.compiler.errors import MachineError

MACHINES = [name for name, target in machine_names().items() if target == "cim"]
FIGURES = [
    pytest.param(c, id=f"{name}-{c.published.figure}-{c.published.value:g}")
    for name in MACHINES
    for c in compared(select(name).machine)
]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_derived_figure_is_the_published_one(figure: Comparison) -> None:
    if not figure.published.comparable:
        pytest.skip("the source counts operations otherwise")
    assert abs(figure.error) <= 0.05


def test_isaac_adds_up_as_in_its_paper() -> None:
    isaac = select("isaac").machine
    assert isaac.units_per_chip == 16_128
    assert (isaac.slices(16), isaac.unit_weights(16), isaac.phases(16)) == (8, 16, 16)


ISAAC = select("isaac").text
BROKEN = {
    "a converter of no bits": (
        "bits = { value = 8,",
        "bits = { value = 0,",
        "adc.bits: Input should be greater than 0",
    ),
    "an array smaller than a weight": (
        "columns = { value = 128,",
        "columns = { value = 4,",
        "array: Value error, 4 columns cannot hold one weight of 16 bits (columns)",
    ),
    "noise out of range": (
        "read_sigma = { value = 0.005,",
        "read_sigma = { value = 1.5,",
        "physics.read_sigma: Input should be less than or equal to 1",
    ),
    "two's complement in cells of two bits": (
        'encoding = { value = "offset"',
        'encoding = { value = "twos_complement"',
        "two's complement columns need cells of 1 bit",
    ),
    "an encoding that there is not": (
        '{ value = "offset"',
        '{ value = "gray"',
        "array.encoding: Input should be",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_machine_file_that_is_wrong_names_the_key(tmp_path: Path, fault: str) -> None:
    before, after, said = BROKEN[fault]
    assert before in ISAAC
    path = tmp_path / "mine.toml"
    path.write_text(ISAAC.replace(before, after))
    with pytest.raises(MachineError) as caught:
        select(str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
