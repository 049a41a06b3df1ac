"""Layers alike are planned once: the same plan as where every node and every table is looked at by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.graphs import graph
from tests.gpu_cluster.programs import cluster
from wsc.backends.gpu_cluster.plan.assign import Table, cheapest, elimination
from wsc.backends.gpu_cluster.plan.graph_plan import make_plan
from wsc.backends.gpu_cluster.plan.spread import Kinds, _Tables, find_kinds, spread
from wsc.compiler.ir.graph import Graph


def layers(count: int) -> Graph:
    """Layers that are alike but for their place, and nodes that are nearly of one kind.

    Products of one result and other operands, one whose operands are of one kind, results that leave the graph twice.
    """
    lines = ["%h0 = input(index=0) : bf16[2048,2048]"]
    for i in range(count):
        lines += [
            f"%w{i} = parameter(key='w{i}') : bf16[8192,2048]",
            f"%v{i} = parameter(key='v{i}') : bf16[2048,8192]",
            f"%u{i} = parameter(key='u{i}') : bf16[2048,2048]",
            f"%y{i} = contract(equation='ak,nk->an', windows=()) %h{i} %w{i} : bf16[2048,8192]",
            f"%r{i} = elementwise(fn='relu', scalars=(None,)) %y{i} : bf16[2048,8192]",
            f"%z{i} = contract(equation='ak,nk->an', windows=()) %r{i} %v{i} : bf16[2048,2048]",
            f"%s{i} = contract(equation='ak,nk->an', windows=()) %z{i} %u{i} : bf16[2048,2048]",
            f"%t{i} = contract(equation='ak,nk->an', windows=()) %s{i} %u{i} : bf16[2048,2048]",
            f"%p{i} = contract(equation='ak,nk->an', windows=()) %t{i} %s{i} : bf16[2048,2048]",
            f"%h{i + 1} = elementwise(fn='add', scalars=(None, None)) %p{i} %z{i} : bf16[2048,2048]",
        ]
    return graph(*lines, f"return %h{count} %h{count} %p0 %s1")


NET = layers(4)


def each_alone(net: Graph) -> Kinds:
    """As though no two nodes were of one kind."""
    kinds = find_kinds(net)
    operands = tuple(net.operand_types(node) for node in kinds.nodes)
    numbers = tuple(range(len(kinds.nodes)))
    return Kinds(kinds.nodes, kinds.place, numbers, operands, kinds.nodes, kinds.reads, kinds.steps)


@pytest.mark.parametrize("parts", [2, 8])
def test_tables_of_a_kind_are_those_of_each_of_its_nodes(parts: int) -> None:
    kinds, alone = find_kinds(NET), each_alone(NET)
    ours = _Tables(kinds, cluster(), parts)
    for times in (1, 2):
        theirs = _Tables(alone, cluster(), parts)  # anew: nothing is known from the round before
        for v, kind in enumerate(kinds.of):
            assert ours.choices[kind] == theirs.choices[v]
            np.testing.assert_array_equal(ours.kernels[kind], theirs.kernels[v])
            np.testing.assert_array_equal(ours.leaving(kind, times), theirs.leaving(v, times))
        for u, v, places in kinds.reads:
            pair = ours.pair(kinds.of[u], kinds.of[v], places)
            np.testing.assert_array_equal(pair, theirs.pair(u, v, places))


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_nodes_lie_as_where_each_is_looked_at_alone(parts: int) -> None:
    on, kinds = cluster(), find_kinds(NET)
    assert len(kinds.examples) < len(kinds.nodes) // 3  # something is shared
    found = spread(NET, on, parts, kinds)
    assert found == spread(NET, on, parts, each_alone(NET))
    assert found == spread(NET, on, parts)  # kinds that serve all sizes of a group, and those of one
    assert parts == 1 or len(set(found.options.values())) > 2


def test_the_plan_is_the_same_with_and_without_sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(NET, cluster())
    monkeypatch.setattr("wsc.backends.gpu_cluster.plan.graph_plan.find_kinds", each_alone)
    assert make_plan(NET, cluster()) == plan


@st.composite
def shared(draw: st.DrawFn) -> tuple[list[Table], dict[tuple[int, int], Table]]:
    """Costs that many variables and pairs have in common, each a single table."""
    costs = st.integers(0, 9)
    size = draw(st.integers(2, 3))
    rows = [draw(st.lists(costs, min_size=size, max_size=size)) for _ in range(2)]
    squares = [draw(st.lists(costs, min_size=size * size, max_size=size * size)) for _ in range(2)]
    single = [np.array(row, float) for row in rows]
    double = [np.array(square, float).reshape(size, size) for square in squares]
    count = draw(st.integers(2, 8))
    pairs = {
        (u, v): draw(st.sampled_from(double))
        for v in range(1, count)
        for u in draw(st.sets(st.integers(max(0, v - 3), v - 1), max_size=2))
    }
    return [draw(st.sampled_from(single)) for _ in range(count)], pairs


@given(shared())
def test_shared_tables_are_chosen_from_like_copies(
    case: tuple[list[Table], dict[tuple[int, int], Table]],
) -> None:
    single, pairs = case
    copies = cheapest([table.copy() for table in single], {key: table.copy() for key, table in pairs.items()})
    assert cheapest(single, pairs) == copies
    assert cheapest(single, pairs, elimination(len(single), tuple(pairs))) == copies
