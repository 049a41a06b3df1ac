"""Energy of an input: what is counted, by hand on a small program, and that the figures fit together."""

import pytest

from tests.wafer.simulate.programs import MACHINES, chain, wafer
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.simulate import simulate
from wsc.compiler.ir.types import DType
from wsc.compiler.machine import read_machine
from wsc.simulation.trace import Trace


def parts(trace: Trace) -> dict[str, float]:
    return {part.component: part.joules * 1e12 for part in trace.energy}


def test_a_product_on_one_core_by_hand() -> None:
    machine = wafer()
    trace = simulate(chain("mac", words=8), machine)
    figures, found = machine.energy, parts(trace)
    words = 8 * 4  # bytes of the vector
    assert found["multiply-adds"] == pytest.approx(64 * figures.f32_mac_pj)
    assert found["vector operations"] == 0
    assert found["SRAM"] == pytest.approx((64 * 3 * 4 + 2 * words) * figures.sram_pj_per_byte)
    assert found["edge"] == pytest.approx(2 * words * figures.edge_pj_per_byte)
    hops = sum(stream.hop_bytes for stream in trace.streams)
    assert hops == (1 + 4) * words  # in over the west edge, out over the east edge of four cores
    assert found["links"] == pytest.approx(hops * figures.hop_pj_per_byte)
    seconds = trace.interval_cycles / machine.core.clock_hz
    assert found["static"] == pytest.approx(figures.static_watts * seconds * 1e12)


def test_work_counts_once_an_input_however_it_is_chunked() -> None:
    whole, chunked = (simulate(chain("relu", words=16 // n, chunks=n), wafer()) for n in (1, 4))
    for component in ("vector operations", "SRAM", "links", "edge"):
        assert parts(whole)[component] == pytest.approx(parts(chunked)[component])


@pytest.mark.parametrize("name", ["wse2", "wse3"])
def test_all_cores_at_their_peak_draw_what_the_vendor_says(name: str) -> None:
    """15 to 23 kW a CS-2, about 23 kW a CS-3: every core multiplying, its memory port at its limit."""
    machine = read_machine(MACHINES / f"{name}.toml", Wafer)
    rate = min(machine.core.f16_macs_per_cycle, 1 / machine.mac_cycles(DType.F16))
    core = rate * (machine.energy.f16_mac_pj + 3 * 2 * machine.energy.sram_pj_per_byte)
    watts = core * 1e-12 * machine.core.clock_hz * machine.cores + machine.energy.static_watts
    assert 15e3 < watts < 26e3
