"""Any way of cutting a model's dimensions either does not serve, or computes what the model means."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wafer import models
from tests.wafer.compiling import random_inputs
from tests.wafer.cut_cases import Cutting, blocks
from tests.wafer.sequential_cases import inputs_of, llama
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.sequential.assign import PLACES
from wsc.backends.wafer.sequential.draft import Axes, Conflict
from wsc.backends.wafer.sequential.region import mesh_of
from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ir.model import Model
from wsc.compiler.layout import Mesh
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import capture

MESHES = [(1, 3, 1, 5), (2, 2, 2, 2), (2, 3, 2, 3), (1, 4, 1, 4), (1, 4, 2, 3), (1, 1, 1, 4), (1, 5, 1, 1)]
meshes = st.sampled_from([mesh_of(*parts) for parts in MESHES])


def attentions() -> st.SearchStrategy[Model]:
    kinds = st.sampled_from(list(blocks(1, 2, 1)))
    sizes = st.tuples(st.integers(1, 2), st.integers(2, 13), st.sampled_from([1, 2, 4]))
    return st.builds(lambda kind, size: blocks(*size)[kind], kinds, sizes)


def cut(data: st.DataObject, cutting: Cutting, mesh: Mesh) -> Program:
    """The model with random cuts; of those that do not serve together, fewer and fewer."""
    places = [*PLACES, (), ()]
    cuts: dict[int, Axes] = {atom: data.draw(st.sampled_from(places)) for atom in cutting.atoms}
    while True:
        try:
            return cutting.program(mesh, cuts)
        except Conflict:
            cuts.popitem()


@pytest.mark.parametrize("fetch", [False, True])
@settings(max_examples=25, deadline=None)
@given(st.data(), attentions() | st.builds(models.mlp, st.integers(1, 13), st.integers(4, 20)), meshes)
def test_blocks(fetch: bool, data: st.DataObject, model: Model, mesh: Mesh) -> None:
    cutting = Cutting.of(model, fetch)
    cutting.check(cut(data, cutting, mesh), random_inputs(cutting.model))


class Signs(torch.nn.Module):
    """Rows that are positive throughout, and columns that are so anywhere."""

    def forward(self, x):
        return torch.where((x > -1).all(-1, keepdim=True), x, -x) + (x > 1).any(0) * x.amin(1, keepdim=True)


@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(1, 9), st.integers(1, 9), meshes)
def test_truth_values_of_any_and_of_all(data: st.DataObject, rows: int, columns: int, mesh: Mesh) -> None:
    cutting = Cutting.of(run_pipeline(capture(Signs(), (torch.zeros(rows, columns),), "signs").model))
    cutting.check(cut(data, cutting, mesh), random_inputs(cutting.model))


def test_a_product_with_itself_is_refused_by_its_place() -> None:
    class Gram(torch.nn.Module):
        def forward(self, x):
            return torch.tanh(x @ x.T)

    model = run_pipeline(capture(Gram(), (torch.zeros(4, 3),), "gram").model)
    with pytest.raises(UnsupportedModel) as error:
        Cutting.of(model)
    said = str(error.value).replace(str(model.graph.nodes[-1].location.file), "FILE")
    assert said.startswith(
        "'gram' cannot run layer after layer on a whole region (--schedule sequential or streaming): 1 nodes have no"
        " layout there yet:\n  contract, two dimensions of a result walked alike, at FILE:"
    )


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.data(),
    st.sampled_from(["prefill", "decode"]),
    st.integers(1, 12),
    st.integers(1, 3),
    st.booleans(),
    meshes,
)
def test_decoders(data: st.DataObject, phase: str, tokens: int, batch: int, fetch: bool, mesh: Mesh) -> None:
    """Prompts of any length, and caches of a context that does not come out even."""
    model = llama(
        phase, 12 if phase == "prefill" else max(6, tokens), tokens if phase == "prefill" else 1, batch, 2
    )
    cutting = Cutting.of(model, fetch)
    cutting.check(cut(data, cutting, mesh), inputs_of(cutting.model, 5))
