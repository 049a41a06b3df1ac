"""Text form of graphs: one line a node, reads back to an equal graph.

graph "mlp" version 1
%x = input(index=0) : f32[4,8]
%w = parameter(key='fc.weight') : f32[16,8]
%y = contract(equation='ak,nk->an') %x %w : f32[4,16] at "mlp.py":7 in "fc"
return %y

A node that is a part of something says so at its end, e.g. `part "rotary/q.add"`. A graph that keeps state says so
after `return`, e.g. `state input=1 output=2`.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import fields
from math import isinf
from typing import Any

from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.graph import Graph, Location, Node, State
from wsc.compiler.ir.lines import STRING, TYPE
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Op, op_class

VERSION = 1
_HEADER = re.compile(rf"graph (?P<name>{STRING}) version (?P<version>\d+)")
_RETURN = re.compile(r"return(?: %\S+)*")
_STATE = re.compile(r"state input=(?P<input>\d+) output=(?P<output>\d+)")
_OP = re.compile(r"(?P<kind>\w+)\((?P<attributes>.*)\)")
# The op ends with the first parenthesis, outside strings, that the rest of a node follows.
_NODE = re.compile(
    rf"%(?P<name>\S+) = (?P<op>\w+\((?:[^'\"]|'(?:[^'\\]|\\.)*'|{STRING})*?\))(?P<inputs>(?: %\S+)*)"
    rf" : (?P<type>{TYPE})(?: at (?P<file>{STRING}):(?P<line>\d+) in (?P<module>{STRING}))?"
    rf"(?: part (?P<part>{STRING}))?"
)


def literal(value: Any) -> str:
    """A Python literal that reads back equal; infinities are written as overflowing numbers."""
    if isinstance(value, tuple):
        inner = ", ".join(literal(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float) and isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)


def print_op(op: Op) -> str:
    """An op with its attributes, e.g. `softmax(dim=1, log=False)`."""
    return f"{op.kind}({', '.join(f'{f.name}={literal(getattr(op, f.name))}' for f in fields(op))})"  # type: ignore[arg-type]


def parse_op(text: str) -> Op:
    """Read back what `print_op` printed; raises VerificationError."""
    match = _OP.fullmatch(text)
    if match is None:
        raise VerificationError(f"not an op: {text!r}")
    try:
        return op_class(match["kind"])(**_attributes(match["attributes"]))
    except (KeyError, SyntaxError, TypeError, ValueError) as error:
        raise VerificationError(f"not an op: {text!r} ({error})") from error


def _attributes(text: str) -> dict[str, Any]:
    """The values in `a=1, b=(2, 3)`; raises ValueError or SyntaxError."""
    call = ast.parse(f"f({text})", mode="eval").body
    if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
        raise ValueError("attributes have names")
    return {str(k.arg): _value(k.value) for k in call.keywords}


def _value(expression: ast.expr) -> Any:
    try:
        return ast.literal_eval(expression)
    except ValueError:  # its message holds an address
        raise ValueError(f"{ast.unparse(expression)} is no literal") from None


def print_graph(graph: Graph) -> str:
    """The graph's text."""
    lines = [f"graph {json.dumps(graph.name)} version {VERSION}"]
    lines += [_print_node(node) for node in graph.nodes]
    lines.append("return" + "".join(f" %{name}" for name in graph.outputs))
    lines += [f"state input={state.input} output={state.output}" for state in graph.state]
    return "\n".join(lines) + "\n"


def parse_graph(text: str) -> Graph:
    """Read back what `print_graph` printed; raises VerificationError with the line number."""
    header, *body = text.rstrip("\n").split("\n")
    state: list[State] = []
    while body and (found := _STATE.fullmatch(body[-1])):
        state.insert(0, State(int(found["input"]), int(found["output"])))
        body.pop()
    last = body.pop() if body else ""
    name = _parse_header(header)
    nodes = tuple(_parse_node(line, number) for number, line in enumerate(body, start=2))
    if _RETURN.fullmatch(last) is None:
        raise VerificationError(f"line {len(body) + 2}: expected 'return', found {last!r}")
    return Graph(name, nodes, tuple(name[1:] for name in last.split()[1:]), tuple(state))


def _parse_header(line: str) -> str:
    match = _HEADER.fullmatch(line)
    if match is None or int(match["version"]) != VERSION:
        raise VerificationError(f"line 1: expected a graph of version {VERSION}, found {line!r}")
    try:
        return str(json.loads(match["name"]))
    except ValueError as error:
        raise VerificationError(f"line 1: {error}") from error


def _print_node(node: Node) -> str:
    inputs = "".join(f" %{name}" for name in node.inputs)
    line = f"%{node.name} = {print_op(node.op)}{inputs} : {node.type}"
    place = node.location
    if place != Location():
        line = f"{line} at {json.dumps(place.file)}:{place.line} in {json.dumps(place.module)}"
    return f"{line} part {json.dumps(node.part)}" if node.part else line


def _parse_node(line: str, number: int) -> Node:
    match = _NODE.fullmatch(line)
    if match is None:
        raise VerificationError(f"line {number}: not a node: {line!r}")
    place = Location()
    inputs = tuple(name[1:] for name in match["inputs"].split())
    try:
        if match["file"] is not None:
            place = Location(json.loads(match["file"]), int(match["line"]), json.loads(match["module"]))
        part = json.loads(match["part"] or '""')
        return Node(
            match["name"], parse_op(match["op"]), inputs, TensorType.parse(match["type"]), place, part
        )
    except (ValueError, VerificationError) as error:
        raise VerificationError(f"line {number}: {error}") from error
