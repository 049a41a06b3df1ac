"""Products: stationary weights with an all-reduce, or tiles that shift on a ring where rows and columns are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from wsc.backends.wafer.instructions import MultiplyAdd, Shift
from wsc.backends.wafer.program import Instruction
from wsc.backends.wafer.sequential.draft import ACROSS, COLUMNS, ROWS, Axes, Conflict, Draft, Value, lines
from wsc.compiler.ops import Contract

RING = "interleaved"


class Letters:
    """Names for pairs of an equation's letter and an atom, so that tiles with a dimension an atom can be contracted."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, int], str] = {}

    def __call__(self, letter: str, atom: int) -> str:
        return self._names.setdefault((letter, atom), chr(ord("a") + len(self._names)))


def equation(
    op: Contract,
    operands: Sequence[Mapping[int, str]],
    values: Sequence[Value],
    out: Sequence[tuple[str, int]],
) -> str:
    """The equation over the atoms of two values; `operands[i][atom]` is the letter that an atom of value i is in."""
    name = Letters()
    left, right = ("".join(name(of[a], a) for a in v.atoms) for of, v in zip(operands, values, strict=True))
    return f"{left},{right}->{''.join(name(letter, atom) for letter, atom in out)}"


def letters_of(letters: str, dims: Sequence[tuple[int, ...]]) -> dict[int, str]:
    """The letter of every atom of a tensor; raises Conflict where one atom is in two."""
    found = {a: letter for letter, atoms in zip(letters, dims, strict=True) for a in atoms}
    if len(found) < sum(map(len, dims)):
        raise Conflict("a tensor is walked twice by one dimension")
    return found


def product(draft: Draft, value: Value, other: Value, text: str, slots: Sequence[int], summed: Axes) -> Value:
    """A product of tiles where each lies, summed over `summed`."""
    partial = draft.add(Contract(text), [value, other], value.dtype, slots)
    return draft.all_reduce(partial, summed)


def shifted_product(
    draft: Draft, value: Value, weight: Value, text: str, slots: Sequence[int], along: Axes
) -> Value:
    """MeshGEMM (WaferLLM, arXiv 2502.04563): both operands go round interleaved rings and meet tile by tile.

    `along` are the column axes that the value's summed dimensions are cut over; the weight's are cut over the rows'.
    """
    (x,), (y,) = lines(along), lines([ACROSS[a] for a in along])
    a, b = (_like(draft, v, f"{v.buffer.name}_step") for v in (value, weight))
    draft.again(Shift(x, 1, RING, y), [value], a)
    draft.again(Shift(y, 1, RING, x), [weight], b)
    made = draft.buffer("product", draft.type(value.dtype, slots), draft.layout(slots))
    result = Value(made, tuple(slots))
    draft.open()
    draft.emit(Instruction(MultiplyAdd(text), (a.buffer.name, b.buffer.name), made.name))
    for moved, line in sorted(((a, x), (b, y)), key=lambda pair: pair[0].buffer.tile_type.bytes):
        draft.again(Shift(line, 1, RING), [moved], moved)
    draft.loop(prod(draft.mesh[name].parts for name in along), [a, b], result)
    return result


def _like(draft: Draft, value: Value, name: str) -> Value:
    return Value(draft.buffer(name, value.buffer.type, value.buffer.layout), value.slots)


def rings(draft: Draft, rows: Sequence[int], summed: Sequence[int]) -> Axes:
    """The column axes over which a product has to shift: none unless its rows lie along y and its sum along x."""
    over = [a for atom in rows for a in draft.axes(atom)]
    along = [a for atom in summed for a in draft.axes(atom)]
    if not set(over) & set(ROWS) or not set(along) & set(COLUMNS):
        return ()
    if not set(along) <= set(COLUMNS) or any(
        draft.mesh[a].parts != draft.mesh[ACROSS[a]].parts for a in along
    ):
        raise Conflict("a product's sum is cut along both directions, or over unequal numbers of parts")
    return tuple(a for a in COLUMNS if a in along)
