"""Axes of one part cut nothing: cuts with them are priced as cuts without, and each way is priced once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer import models
from tests.wafer.cut_cases import Cutting
from wsc.backends.wafer.sequential.assign import PLACES, Cuts, search
from wsc.backends.wafer.sequential.division import cut_segments
from wsc.backends.wafer.sequential.draft import Axes
from wsc.backends.wafer.sequential.region import _Price, mesh_of, nodes_of
from wsc.compiler.layout import Mesh

MESHES = [mesh_of(*parts) for parts in [(1, 3, 1, 5), (1, 4, 2, 2), (1, 1, 2, 2), (1, 4, 1, 1), (2, 1, 2, 1)]]
MODELS = {"mlp": models.mlp(4, 8), "attention": models.attention_block(1, 4, 2)}
CUTTINGS = {name: Cutting.of(model) for name, model in MODELS.items()}


def price_of(name: str, mesh: Mesh) -> _Price:
    task = CUTTINGS[name].task
    return _Price(task, cut_segments(task.rolled, [task.rolled.count])[0], mesh)


def without_one_part(cuts: Cuts, mesh: Mesh) -> dict[int, Axes]:
    told = {a: tuple(axis for axis in axes if mesh[axis].parts > 1) for a, axes in cuts.items()}
    return {a: axes for a, axes in told.items() if axes}


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(list(CUTTINGS)), st.sampled_from(MESHES))
def test_they_change_no_price(data: st.DataObject, name: str, mesh: Mesh) -> None:
    places = st.sampled_from([*PLACES, ()])
    cuts: Cuts = {atom: data.draw(places) for atom in CUTTINGS[name].atoms}
    price = price_of(name, mesh)
    assert price(cuts) == price(without_one_part(cuts, mesh))


@pytest.mark.parametrize("mesh", MESHES, ids=str)
@pytest.mark.parametrize("name", CUTTINGS)
def test_the_search_prices_each_way_once(name: str, mesh: Mesh) -> None:
    """What it finds has the price that it says, one-part axes and all."""
    task, price = CUTTINGS[name].task, price_of(name, mesh)
    asked: list[dict[int, Axes]] = []

    def priced(cuts: Cuts, limit: float) -> float:
        asked.append(dict(cuts))
        return price(cuts, limit)

    nodes = nodes_of(task.rolled, price.segment)
    cuts, cost = search(task.dims, nodes, mesh, priced)
    assert cost == price(cuts) < float("inf")
    ways = [without_one_part(way, mesh) for way in asked]
    assert all(ways.count(way) == 1 for way in ways)
