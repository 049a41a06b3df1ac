"""Reads `.kgraph` files: the fabric and weights, the kernels with their formal parameters, and the edges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wsc.compiler.errors import PlacementError

_EXTENTS = {  # the formal parameters of each kind of kernel, as the file spells them
    "conv": ("H", "W", "R", "S", "C", "K", "T"),
    "dblock": ("h", "w", "f"),
    "cblock": ("h", "w", "f"),
}
_EXTERNAL = ("input", "output")
_WHOLE = ("width", "height", "memlimit")
_WEIGHTS = ("wdeltat", "wlength", "wadapter")
_REFERENCE = r"(\w+)\s*\[\s*(\d+)\s*\]"
_NODE = re.compile(rf"{_REFERENCE}\s+(.*)")
_EDGE = re.compile(rf"{_REFERENCE}\s*:\s*\w+\s*->\s*{_REFERENCE}\s*:\s*\w+\s*(,.*)?")
_VALUE = re.compile(r"(\w+)\s*=\s*('[^']*'|\[[^\]]*\]|[^\s,]+)")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of the graph: its name, kind and formal parameters.

    For a conv they are (H, W, R, S, C, K, T): image, window, input and output features, stride; for a dblock or
    cblock (H, W, F).
    """

    name: str
    kind: str
    formal: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KernelGraph:
    """A contest input; `edges` are pairs of indices into `kernels`, without those of inputs and outputs."""

    name: str
    width: int
    height: int
    memory: int
    weights: tuple[Fraction, Fraction, Fraction]
    kernels: tuple[Kernel, ...]
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that means something, and how to complain of it."""

    file: str
    number: int
    text: str

    def expected(self, what: str) -> PlacementError:
        return PlacementError(f"{self.file}, line {self.number}: expected {what}, found '{self.text}'.")


def read_kgraph(path: Path) -> KernelGraph:
    """The kernel graph in a file; raises PlacementError with the line and what was expected there."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise PlacementError(f"Cannot read {path}: {reason}.") from error
    return parse_kgraph(text, path.name)


def parse_kgraph(text: str, file: str) -> KernelGraph:
    """The kernel graph of a text, `file` being its name in messages; raises PlacementError as `read_kgraph`."""
    header: dict[str, str] = {}
    nodes: dict[int, tuple[str, Kernel | None]] = {}
    ends: list[tuple[_Line, int, int]] = []
    for line in _lines(text, file):
        if "->" in line.text:
            ends.append(_edge(line, nodes))
        elif "[" in line.text.split("=")[0]:
            _node(line, nodes)
        else:
            key, equals, value = line.text.partition("=")
            if not equals:
                raise line.expected("key=value, a node such as conv[1] H=7 ..., or an edge a[1]:y -> b[2]:x")
            header[key.strip()] = value.strip()
    numbers = [number for number, (_, kernel) in nodes.items() if kernel is not None]
    index = {number: at for at, number in enumerate(numbers)}
    kernels = tuple(kernel for _, kernel in nodes.values() if kernel is not None)
    if not kernels:
        raise PlacementError(f"{file}: expected at least one conv, dblock or cblock, found none.")
    if len({kernel.name for kernel in kernels}) < len(kernels):
        raise PlacementError(f"{file}: two kernels share a name.")
    width, height, memory = (_whole(header, key, file) for key in _WHOLE)
    deltat, length, adapter = (_weight(header, key, file) for key in _WEIGHTS)
    edges = tuple((index[a], index[b]) for _, a, b in ends if a in index and b in index)
    return KernelGraph(
        header.get("test", file), width, height, memory, (deltat, length, adapter), kernels, edges
    )


def _lines(text: str, file: str) -> list[_Line]:
    """The lines that hold anything; `(* a remark *)` on a line of its own and the brackets of the header do not."""
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"\(\*.*?\*\)", "", raw).replace("(*", "").replace("*)", "").strip()
        if line:
            found.append(_Line(file, number, line))
    return found


def _node(line: _Line, nodes: dict[int, tuple[str, Kernel | None]]) -> None:
    match = _NODE.fullmatch(line.text)
    if match is None:
        raise line.expected("a node, as in conv[1] H=7 W=7 ... name='k1'")
    kind, number, rest = match[1], int(match[2]), match[3]
    if kind not in _EXTENTS and kind not in _EXTERNAL:
        raise line.expected("a node of kind input, output, conv, dblock or cblock")
    if number in nodes:
        raise line.expected(f"a node other than [{number}], which there is already")
    values = {key: value.strip("'") for key, value in _VALUE.findall(rest)}  # of two names the last counts
    kernel = None
    if kind in _EXTENTS:
        kernel = Kernel(values.get("name", f"k{number}"), kind, _formal(line, kind, values))
    nodes[number] = (kind, kernel)


def _formal(line: _Line, kind: str, values: dict[str, str]) -> tuple[int, ...]:
    formal = []
    for key in _EXTENTS[kind]:
        value = values.get(key, "")
        if not value.isdecimal() or int(value) < 1:
            raise line.expected(f"{key}= with a whole number of at least 1")
        formal.append(int(value))
    if kind == "conv" and values.get("U", values["T"]) != values["T"]:
        raise line.expected("the same stride U= as T=")
    if kind != "conv" and (formal[2] % 4 or (kind == "cblock" and (formal[0] % 2 or formal[1] % 2))):
        raise line.expected("f= divisible by 4, and an even h= and w= for a cblock")
    return tuple(formal)


def _edge(line: _Line, nodes: dict[int, tuple[str, Kernel | None]]) -> tuple[_Line, int, int]:
    match = _EDGE.fullmatch(line.text)
    if match is None:
        raise line.expected("an edge, as in conv[1]:y -> conv[2]:x, shape:[7][7][512]")
    ends = ((match[1], int(match[2])), (match[3], int(match[4])))
    for kind, number in ends:
        if number not in nodes or nodes[number][0] != kind:
            raise line.expected(f"an edge between nodes that there are; {kind}[{number}] is none of them")
    if ends[0] == ends[1]:
        raise line.expected("an edge between two different nodes")
    return line, ends[0][1], ends[1][1]


def _whole(header: dict[str, str], key: str, file: str) -> int:
    value = header.get(key, "")
    if not value.isdecimal() or int(value) < 1:
        raise PlacementError(
            f"{file}: expected {key}= with a whole number of at least 1, found '{value or 'nothing'}'."
        )
    return int(value)


def _weight(header: dict[str, str], key: str, file: str) -> Fraction:
    value = header.get(key, "")
    if not re.fullmatch(r"\d+(\.\d+)?", value) or (key == "wdeltat" and Fraction(value) == 0):
        least = "above 0" if key == "wdeltat" else "of at least 0"
        raise PlacementError(f"{file}: expected {key}= with a number {least}, found '{value or 'nothing'}'.")
    return Fraction(value)
