"""How a rolled graph is divided into kernels: ranges of layers, or the parts of every layer on their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from wsc.backends.wafer.sequential.roll import Rolled
from wsc.backends.wafer.sequential.segment import Segment
from wsc.compiler.ops import Attention, Contract


def cut_segments(rolled: Rolled, layers: list[int]) -> list[Segment]:
    """Kernels with so many layers each; the first has what comes before the layers, the last what comes after."""
    before, after = _around(rolled)
    segments, start = [], 0
    for number, count in enumerate(layers):
        count = count if rolled.body else 0
        last = number == len(layers) - 1
        seeds = list(rolled.carried) if number == 0 else []
        reads = [*(rolled.body if count else ()), *(after if last else ())]
        given = _given(rolled, number, start)
        seeds += (
            [name for _, name in rolled.outputs] + list(rolled.states.values()) if not rolled.body else []
        )
        own = _cone(rolled, before, [n for name in reads for n in rolled.graph[name].inputs] + seeds, given)
        outputs = tuple(o for o in rolled.outputs if _computed_in(rolled, o[1], own, last, number))
        own = tuple(dict.fromkeys([*own, *(n for _, n in outputs if n in before)])) if number == 0 else own
        kept = tuple(n for n in before if n in own)
        segments.append(
            Segment(
                _name(number, len(layers), start, count, rolled),
                kept,
                start,
                start + count,
                tuple(after) if last else (),
                given,
                () if last else tuple(rolled.carried.values() if start + count else rolled.carried),
                outputs,
            )
        )
        start += count
    return segments


def _name(number: int, of: int, start: int, count: int, rolled: Rolled) -> str:
    if of == 1:
        return rolled.graph.name
    if not count:
        return "before" if number == 0 else "after"
    return f"layers.{start}-{start + count - 1}" if count > 1 else f"layers.{start}"


def _given(rolled: Rolled, number: int, start: int) -> tuple[str, ...]:
    """What comes from the segment before: the carried values, as they are called there."""
    if number == 0:
        return ()
    return tuple(rolled.carried.values()) if start else tuple(rolled.carried)


def _cone(
    rolled: Rolled, before: Iterable[str], seeds: Iterable[str], given: tuple[str, ...]
) -> tuple[str, ...]:
    """Nodes before the layers that some values need, but for what is given."""
    inside, found, waiting = set(before), set(), list(seeds)
    stop = {*given, *(first for first, result in rolled.carried.items() if result in given)}
    while waiting:
        name = waiting.pop()
        if name in inside and name not in found and name not in stop:
            found.add(name)
            waiting += rolled.graph[name].inputs
    return tuple(found)


def _computed_in(rolled: Rolled, name: str, own: tuple[str, ...], last: bool, number: int) -> bool:
    before = name not in rolled.body and name in own
    return last if not before else number == 0


def cut_layers(rolled: Rolled) -> list[Segment]:
    """Kernels of one layer each, or of one part of a layer: the first what comes before, the last what comes after.

    A layer is cut where a single value leads from one part to the next, so that each core holds the code of its own
    part only. Empty where the layers cannot stand alone: where one of them gives an output of the model.
    """
    inner = [name for _, name in rolled.outputs if name in rolled.body]
    if not rolled.body or set(inner) - set(rolled.carried.values()):
        return []
    head, *_, tail = cut_segments(rolled, [0, rolled.count, 0])
    before, _ = _around(rolled)
    made, parts = [head], layer_parts(rolled)
    for layer in range(rolled.count):
        given = _given(rolled, 1, layer)
        for (name, part), sent in zip(parts, (*_links(rolled, parts), None), strict=True):
            reads = [n for inside in part for n in rolled.graph[inside].inputs]
            own = _cone(rolled, before, reads, given)
            kept = tuple(n for n in before if n in own)
            out = (sent,) if sent else tuple(rolled.carried.values())
            title = f"layers.{layer}.{name}" if name else f"layers.{layer}"
            made.append(Segment(title, kept, layer, layer + 1, (), given, out, (), part))
            given = out
    return [*made, tail]


def layer_parts(rolled: Rolled) -> list[tuple[str, tuple[str, ...]]]:
    """Names and nodes of the parts of a layer: the name is empty where it has one."""
    body = rolled.body
    at = [i for i in range(1, len(body)) if len(_crossing(rolled, i)) == 1]
    kept = [i for i in at if _crossing(rolled, i)[0] in body]
    edges = [0, *_balanced(rolled, kept), len(body)]
    parts = [body[a:b] for a, b in pairwise(edges)]
    if len(parts) == 1:
        return [("", body)]
    kinds = ["attention" if _has(rolled, part, Attention) else "products" for part in parts]
    names = [kind if kinds.count(kind) == 1 else f"{kind}{i}" for i, kind in enumerate(kinds)]
    return list(zip(names, parts, strict=True))


def _balanced(rolled: Rolled, places: Sequence[int]) -> list[int]:
    """Places to cut at so that every part has products by weights."""
    chosen, start = [], 0
    for place in places:
        here, rest = rolled.body[start:place], rolled.body[place:]
        if _has(rolled, here, Contract) and _has(rolled, rest, Contract):
            chosen.append(place)
            start = place
    return chosen


def _has(rolled: Rolled, part: Sequence[str], kind: type[object]) -> bool:
    return any(isinstance(rolled.graph[name].op, kind) for name in part)


def _crossing(rolled: Rolled, place: int) -> list[str]:
    """Values that a layer computes, or takes from the one before, up to some node and needs from there on."""
    early, late = set(rolled.body[:place]), rolled.body[place:]
    wanted = [n for name in late for n in rolled.graph[name].inputs]
    wanted += [*rolled.carried.values(), *rolled.states.values()]
    seen = [n for n in wanted if n in early or n in rolled.carried]
    written = [n for n in rolled.states.values() if n in early]  # updated in place, and in that part
    return [n for n in dict.fromkeys(seen) if n not in written or _read_by(rolled, n, late)]


def _read_by(rolled: Rolled, name: str, nodes: Sequence[str]) -> bool:
    return any(name in rolled.graph[node].inputs for node in nodes)


def _links(rolled: Rolled, parts: Sequence[tuple[str, tuple[str, ...]]]) -> list[str]:
    """What each part but the last hands to the next."""
    place, found = 0, []
    for _, part in parts[:-1]:
        place += len(part)
        (value,) = _crossing(rolled, place)
        found.append(value)
    return found


def _around(rolled: Rolled) -> tuple[list[str], list[str]]:
    """Nodes before the layers and after them."""
    nodes = [n.name for n in rolled.graph.nodes if not n.is_source]
    at = nodes.index(rolled.body[0]) if rolled.body else len(nodes)
    return nodes[:at], nodes[at + len(rolled.body) :]
