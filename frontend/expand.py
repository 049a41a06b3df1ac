"""Copies of a captured layer's calls in the place of the layers that repeat it (see `repeats`)."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from torch import fx
from torch.export import ExportedProgram

from wsc.frontend.repeats import NotRepeated, Repeats

_ENTER, _LEAVE, _REPEAT = "wsc.enter.default", "wsc.leave.default", "wsc.repeat.default"
Places = Mapping[str, fx.Node]  # placeholders of parameters and buffers by key


def expand(program: ExportedProgram, repeats: Repeats) -> None:
    """Rewrite the program's graph so that no mark of a layer, and no repetition, is left in it.

    Raises NotRepeated where a layer reads what another may find changed.
    """
    graph = program.graph
    signature = program.graph_signature
    keys = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    places = {keys[node.name]: node for node in graph.find_nodes(op="placeholder") if node.name in keys}
    for number, block in enumerate(repeats.blocks):
        begin, end = (_mark(graph, target, number) for target in (_ENTER, _LEAVE))
        inside = _between(begin, end)
        _check_closed(inside, begin, program)
        for node in [n for n in graph.nodes if str(n.target) == _REPEAT and n.args[1] == number]:
            path = repeats.paths[node.args[2]]
            _replace(node, _copied(node, inside, begin, end, (block.path, path), places))
        _replace(begin, list(begin.args[0]))  # type: ignore[arg-type]
        _replace(end, list(end.args[0]))  # type: ignore[arg-type]
    graph.lint()


def _mark(graph: fx.Graph, target: str, number: int) -> fx.Node:
    marks: list[fx.Node] = [n for n in graph.nodes if str(n.target) == target and n.args[1] == number]
    assert len(marks) == 1
    return marks[0]


def _between(begin: fx.Node, end: fx.Node) -> list[fx.Node]:
    found, node = [], begin.next
    while node is not end:
        found.append(node)
        node = node.next
    return found


def _check_closed(inside: list[fx.Node], begin: fx.Node, program: ExportedProgram) -> None:
    """A block may read its arguments and what never changes; raises NotRepeated where it reads anything else."""
    signature = program.graph_signature
    changing = {*signature.buffers_to_mutate.values(), *signature.user_inputs_to_mutate.values()}
    own = {*inside, begin}
    for operand in {operand for node in inside for operand in node.all_input_nodes} - own:
        key = signature.inputs_to_buffers.get(operand.name, operand.name)
        if operand.op not in ("placeholder", "get_attr") or key in changing:
            raise NotRepeated


def _copied(
    node: fx.Node, inside: list[fx.Node], begin: fx.Node, end: fx.Node, paths: tuple[str, str], places: Places
) -> list[Any]:
    """Copy the calls of a block before `node`; what the copy returns."""
    given: Any = node.args[0]
    stands_for: dict[fx.Node, Any] = {}
    own = {
        place: places[paths[1] + key[len(paths[0]) :]]
        for key, place in places.items()
        if _is_in(key, paths[0])
    }

    def renamed(operand: fx.Node) -> Any:
        return stands_for.get(operand, own.get(operand, operand))

    for original in inside:
        if original.target is operator.getitem and original.args[0] is begin:
            stands_for[original] = given[original.args[1]]
            continue
        with node.graph.inserting_before(node):
            copy = node.graph.node_copy(original, renamed)
        copy.meta = _moved(original.meta, *paths)
        stands_for[original] = copy
    results: Any = end.args[0]
    return [renamed(result) for result in results]


def _moved(meta: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    """The facts of a call, with the path of its module in another layer."""
    stack = meta.get("nn_module_stack")
    if not stack:
        return dict(meta)
    moved = {
        key: (after + path[len(before) :] if _is_in(path, before) else path, kind)
        for key, (path, kind) in stack.items()
    }
    return {**meta, "nn_module_stack": moved}


def _is_in(path: str, layer: str) -> bool:
    return path == layer or path.startswith(f"{layer}.")


def _replace(node: fx.Node, results: list[Any]) -> None:
    """Let the readers of each result of a call read something else, and drop the call."""
    for reader in list(node.users):
        assert reader.target is operator.getitem
        reader.replace_all_uses_with(results[reader.args[1]])  # type: ignore[index]
        node.graph.erase_node(reader)
    node.graph.erase_node(node)
