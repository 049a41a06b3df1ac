"""Blocks that a graph repeats: every read of every copy follows the rule, whatever the layers, also backwards."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.graphs import graph, transformer
from wsc.compiler.blocks import computed_nodes, structural_hash
from wsc.compiler.ir.graph import Graph
from wsc.compiler.repeated import Read, Relation, entries_to_say, repeated_blocks


@pytest.mark.parametrize(("layers", "rotary"), [(2, False), (3, False), (3, True), (12, False), (12, True)])
def test_layers_of_a_model_are_one_repeat(layers: int, rotary: bool) -> None:
    made = transformer(layers, rotary)
    (block,) = repeated_blocks(made)
    # The first layer reads the embedding instead of a layer's sum, at the same distance: it counts as a layer.
    assert (block.repeat.length, block.repeat.count) == (6, layers)
    nodes = computed_nodes(made)
    assert nodes[block.repeat.start].name == "n0"
    assert entries_to_say(made, [block]) == len(nodes) - 6 * (layers - 1)
    check(made)


def test_a_read_is_told_by_where_it_moves_from_copy_to_copy() -> None:
    (block,) = repeated_blocks(transformer(12, rotary=True))
    start = block.repeat.start
    assert block.reads[1, 0] == Read(start, 6, start)  # q reads n of its own copy
    assert block.reads[0, 0] == Read(start - 1, 6, start - 1)  # n reads what the copy before it has made
    assert block.reads[3, 1] == Read(0, 0, 0)  # all read one table
    assert (1, 1) not in block.reads  # a weight


def test_what_is_carried_may_start_anywhere() -> None:
    lines = [
        "%x = input(index=0) : f32[4]",
        f"%h = {unary('exp')} %x : f32[4]",
        f"%y = {unary('sin')} %x : f32[4]",
    ]
    before = "h"
    for i in range(4):
        lines += [f"%a{i} = {unary('cos')} %{before} : f32[4]", f"%b{i} = {unary('abs')} %a{i} : f32[4]"]
        before = f"b{i}"
    made = graph(*lines, f"%z = {binary('add')} %{before} %y : f32[4]", "return %z")
    (block,) = repeated_blocks(made)
    assert (block.repeat.start, block.repeat.length, block.repeat.count) == (2, 2, 4)
    assert block.reads[0, 0] == Read(1, 2, 0)
    check(made)


def test_a_copy_that_reads_elsewhere_is_no_copy() -> None:
    lines = forwards([("sin", 1), ("cos", 1)], 5)
    made = graph(*lines, "return %f4.1")
    assert [b.repeat.count for b in repeated_blocks(made)] == [5]
    lines[6] = lines[6].replace("%f1.1", "%f0.0")  # the first node of the third copy
    broken = graph(*lines, "return %f4.1")
    assert max(b.repeat.count for b in repeated_blocks(broken)) < 5
    check(broken)


FUNCTIONS = ("sin", "cos", "exp", "abs", "neg")
LAYER = st.lists(st.tuples(st.sampled_from(FUNCTIONS), st.integers(1, 4)), min_size=2, max_size=6)


def unary(fn: str) -> str:
    return f"elementwise(fn='{fn}', scalars=(None,))"


def binary(fn: str) -> str:
    return f"elementwise(fn='{fn}', scalars=(None, None))"


def forwards(layer: Sequence[tuple[str, int]], count: int) -> list[str]:
    """Copies of a layer in which each node reads the sum of the one before it, and of another that it may reach."""
    lines = ["%x = input(index=0) : f32[4]", f"%e = {unary('exp')} %x : f32[4]"]
    before = "e"
    for copy in range(count):
        for i, (fn, back) in enumerate(layer):
            if i < back:
                lines.append(f"%f{copy}.{i} = {unary(fn)} %{before} : f32[4]")
            else:
                lines.append(f"%f{copy}.{i} = {binary('add')} %{before} %f{copy}.{i - back} : f32[4]")
            before = f"f{copy}.{i}"
    return lines


def there_and_back(layer: Sequence[tuple[str, int]], count: int) -> Graph:
    """The layers, what stands between, and for each node of each layer, in reverse, one that reads it."""
    lines = forwards(layer, count)
    before = "turn"
    lines.append(f"%turn = {unary('sqrt')} %f{count - 1}.{len(layer) - 1} : f32[4]")
    for copy in reversed(range(count)):
        for i in reversed(range(len(layer))):
            fn = ("mul", "sub", "max", "min")[i % 4]
            lines.append(f"%b{copy}.{i} = {binary(fn)} %{before} %f{copy}.{i} : f32[4]")
            before = f"b{copy}.{i}"
    return graph(*lines, f"return %{before}")


@given(LAYER, st.integers(2, 5))
def test_every_read_follows_the_rule(layer: list[tuple[str, int]], count: int) -> None:
    check(there_and_back(layer, count))


@given(LAYER, st.integers(3, 5), st.integers(1, 4))
def test_what_is_distinct_does_not_grow_with_the_layers(
    layer: list[tuple[str, int]], count: int, more: int
) -> None:
    few, many = (there_and_back(layer, n) for n in (count, count + more))
    assert entries_to_say(few, repeated_blocks(few)) >= entries_to_say(many, repeated_blocks(many))


def test_a_layer_backwards_is_related_to_its_layer_forwards() -> None:
    made = there_and_back([("sin", 1), ("cos", 1), ("exp", 2)], 6)
    ahead, back = repeated_blocks(made)
    assert (ahead.repeat.length, ahead.repeat.count) == (3, 6)
    assert (back.repeat.length, back.repeat.count) == (3, 6)
    assert back.relations == (Relation(0, 5, -1),)


def check(made: Graph) -> None:
    """Every copy is told by the first: its ops, its types, and by the rule where what it reads stands."""
    nodes = computed_nodes(made)
    places = {node.name: place for place, node in enumerate(nodes)}
    for block in repeated_blocks(made):
        hashes = set()
        for number, copy in enumerate(block.copies()):
            hashes.add(structural_hash(made, [nodes[place].name for place in copy]))
            for member, place in enumerate(copy):
                first = nodes[block.repeat.start + member]
                assert (nodes[place].op, nodes[place].type) == (first.op, first.type)
                told = {o: r.place(number) for (m, o), r in block.reads.items() if m == member}
                read = {o: places[n] for o, n in enumerate(nodes[place].inputs) if n in places}
                assert told == read
        assert len(hashes) == 1
        for relation in block.relations:
            assert relation.direction in (1, -1)
