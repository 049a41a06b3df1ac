"""Laws of single macros: what they say at points that their papers tell."""

import pytest

from wsc.backends.cim.macro import condition
from wsc.backends.registry import select


@pytest.mark.parametrize(
    ("machine", "metric", "text", "told"),
    [
        ("colonnade", "gops", "in_bits=1;w_bits=1;regs=16", 563.5),
        ("colonnade", "gops", "in_bits=16;w_bits=16;regs=1", 1.34),
        ("colonnade", "energy_per_mac", "V=0.8;in_bits=8;w_bits=8;100MHz", 1169.65),
        ("jia", "tops_1b", "V=1.2", 2.185),
        ("jia", "tops_per_w_1b", "V=0.85", 400.0),
        ("neurram", "tops_48core", "out_bits=6;in_bits=4;one_phase=1;w_bits=4", 0.7439),
        ("neurram", "tops_48core", "out_bits=10;in_bits=8;one_phase=0;w_bits=4", 0.2639),
        ("neurram", "tops_per_w", "out_bits=5;in_bits=3;one_phase=0;w_bits=4", 23.09),
    ],
)
def test_a_measured_point(machine: str, metric: str, text: str, told: float) -> None:
    law = select(machine).machine.macro
    assert law.metrics()[metric](condition(text)) == pytest.approx(told, rel=0.08)
