"""The JSON form of a placement reads back equal, and nothing else is read."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.compiler.errors import BuildError, VerificationError
from wsc.placement.result import Placed, Placement, from_json

AT = Placed(0, 1, 2, 3, 40, 7)
SOME = Placement((AT, AT), slowest=40, half_hops=23, bound=30, cores_used=12, status="feasible")
TEXT = """\
{"format": "wsc.placement", "version": 2, "slowest": 40, "half_hops": 23, "bound": 30, "cores_used": 12, \
"status": "feasible", "adapters": 0, "half_hops_bound": 0, "total": null, "total_bound": null, \
"interrupted": false, "placed": [
  {"x": 0, "y": 1, "width": 2, "height": 3, "time": 40, "payload": 7, "memory": 0, "ports": []},
  {"x": 0, "y": 1, "width": 2, "height": 3, "time": 40, "payload": 7, "memory": 0, "ports": []}
]}
"""
NUMBERS = st.integers(0, 10**12)
SIDES = st.integers(1, 1000)
RECTANGLES = st.builds(Placed, NUMBERS, NUMBERS, SIDES, SIDES, NUMBERS, st.integers())


def test_the_text_is_as_documented() -> None:
    assert SOME.to_json() == TEXT


@given(st.lists(RECTANGLES, min_size=1, max_size=5), NUMBERS, NUMBERS)
def test_it_reads_back_equal(placed: list[Placed], bound: int, more: int) -> None:
    status = "feasible" if more else "optimal"
    placement = Placement(tuple(placed), bound + more, 3, bound, 4, status)
    assert from_json(placement.to_json()) == placement


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        TEXT[:100],
        TEXT.replace('"version": 2', '"version": 1'),
        TEXT.replace('"bound": 30', '"bound": 50'),
        TEXT.replace('"bound": 30', '"bound": 30.0'),
        TEXT.replace('"bound": 30', '"bound": "30"'),
        TEXT.replace('"status": "feasible"', '"status": "optimal"'),
        TEXT.replace('"x": 0', '"x": true'),
        TEXT.replace('"interrupted": false', '"interrupted": 0'),
        TEXT.replace('"ports": []', '"ports": [0.5]'),
        TEXT.replace('"total": null', '"total": "1/0"'),
        TEXT.replace('"x": 0, ', ""),
        TEXT.replace('"x": 0', '"x": 0, "z": 1'),
        TEXT.replace('"width": 2', '"width": 0'),
        TEXT.replace('"slowest": 40, ', ""),
        json.dumps({"format": "wsc.placement", "version": 2, "placed": 3}),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BuildError):
        from_json(text)


@pytest.mark.parametrize("change", [{"bound": 41}, {"bound": 40}, {"placed": ()}, {"half_hops": -1}])
def test_figures_that_contradict_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(VerificationError):
        replace(SOME, **change)  # type: ignore[arg-type]  # each field with its own type
