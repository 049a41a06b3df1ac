"""Temperature of a die: against a sparse solve of the same finite volumes, and cases that can be done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.sparse import diags, eye, kron
from scipy.sparse.linalg import spsolve

from wsc.compiler.machine import Thermal
from wsc.simulation.thermal import temperature

SOURCE = "test"


def thermal(**changes: float) -> Thermal:
    figures = {
        "coolant_celsius": 20.0,
        "resistance_k_mm2_per_watt": 50.0,
        "silicon_watts_per_m_k": 120.0,
        "silicon_mm": 0.775,
        **changes,
    }
    return Thermal.model_validate({k: {"value": v, "source": SOURCE} for k, v in figures.items()})


def line(count: int) -> np.ndarray:
    """Differences between neighbours in a line, nothing beyond its ends."""
    degree = np.full(count, 2.0)
    degree[0] -= 1
    degree[-1] -= 1
    return diags([degree, -np.ones(count - 1), -np.ones(count - 1)], [0, 1, -1])


@settings(max_examples=30, deadline=None)
@given(
    arrays.arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(2, 9)), elements=st.floats(0, 5)),
    st.floats(0.1, 3),
    st.floats(0.1, 3),
    st.floats(1, 1000),
)
def test_it_solves_the_sparse_system(
    watts: np.ndarray, width: float, height: float, resistance: float
) -> None:
    made = thermal(resistance_k_mm2_per_watt=resistance)
    rows, columns = watts.shape
    sheet = 120.0 * 0.775e-3
    system = (
        sheet * (width / height) * kron(line(rows), eye(columns))
        + sheet * (height / width) * kron(eye(rows), line(columns))
        + width * height / resistance * eye(rows * columns)
    )
    expected = 20 + spsolve(system.tocsc(), watts.ravel()).reshape(watts.shape)
    assert temperature(watts, made, (width, height)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_even_power_rises_by_power_times_resistance() -> None:
    found = temperature(np.full((4, 6), 0.3), thermal(), (0.5, 0.2))
    assert found == pytest.approx(np.full((4, 6), 20 + 0.3 / 0.1 * 50))


def test_all_heat_reaches_the_coolant_and_the_hot_spot_is_where_the_power_is() -> None:
    watts = np.zeros((31, 31))
    watts[7, 20] = 2.0
    found = temperature(watts, thermal(), (1.0, 1.0))
    assert ((found - 20) / 50).sum() == pytest.approx(2.0)
    assert np.unravel_index(found.argmax(), found.shape) == (7, 20)
    assert found.min() > 20


def test_thinner_silicon_has_hotter_spots() -> None:
    watts = np.zeros((9, 9))
    watts[4, 4] = 1.0
    thick, thin = (temperature(watts, thermal(silicon_mm=t), (0.25, 0.25)).max() for t in (0.8, 0.1))
    assert thin > thick
