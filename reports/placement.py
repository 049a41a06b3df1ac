"""A page about a placement: its terms, the floor plan with the nets, and every kernel, in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from wsc.placement.result import Placed

_COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2", "#edc948", "#9c755f", "#e15759", "#bab0ac")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 1px solid #999; }
svg { width: 100%; height: auto; background: #f4f4f2; border: 1px solid #999; }
rect.kernel:hover { opacity: .6; } line { stroke: #111; } .note { color: #666; }
@media (prefers-color-scheme: dark) { body { background: #1b1b1b; color: #ddd; } svg { background: #2a2a2a; }
line { stroke: #fff; } }
"""


@dataclass(frozen=True, slots=True)
class PlacementPage:
    """What the page shows: rows (term, ours, bound), kernels as (name, kind, rectangle), nets as pairs of indices."""

    title: str
    terms: tuple[tuple[str, str, str], ...]
    width: int
    height: int
    kernels: tuple[tuple[str, str, Placed], ...]
    nets: tuple[tuple[int, int], ...]
    blocked: tuple[tuple[int, int], ...] = ()
    note: str = ""


def placement_page(page: PlacementPage) -> str:
    """The page as HTML that needs no other file."""
    title = escape(page.title)
    note = f'<p class="note">{escape(page.note)}</p>' if page.note else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>\n{note}\n"
        f"{_table(('term', 'value', 'lower bound'), page.terms)}\n{_drawing(page)}\n"
        f"<h2>Kernels</h2>\n{_table(_COLUMNS, [_kernel_row(it) for it in page.kernels])}\n</body></html>\n"
    )


_COLUMNS = ("kernel", "kind", "x", "y", "width", "height", "time (ticks)", "memory (B)", "ports")


def _kernel_row(kernel: tuple[str, str, Placed]) -> tuple[str, ...]:
    name, kind, at = kernel
    numbers = (at.x, at.y, at.width, at.height, at.time, at.memory)
    return (name, kind, *(f"{number:,}" for number in numbers), " ".join(map(str, at.ports)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table>"


def _drawing(page: PlacementPage) -> str:
    """The fabric with y upwards, a colour for each kind of kernel, and a line for each net."""
    kinds = {kind: at for at, kind in enumerate(dict.fromkeys(kind for _, kind, _ in page.kernels))}
    shapes = [_kernel(page, kernel, _COLOURS[kinds[kernel[1]] % len(_COLOURS)]) for kernel in page.kernels]
    cells = [
        f'<rect x="{x}" y="{page.height - 1 - y}" width="1" height="1" fill="#c00"/>' for x, y in page.blocked
    ]
    thin = max(page.width, page.height) / 400
    lines = []
    for a, b in page.nets:
        (ax, ay), (bx, by) = (_centre(page, page.kernels[end][2]) for end in (a, b))
        ends = f"{escape(page.kernels[a][0])} to {escape(page.kernels[b][0])}"
        lines.append(
            f'<line x1="{ax:g}" y1="{ay:g}" x2="{bx:g}" y2="{by:g}" stroke-width="{thin:g}" opacity=".55">'
            f"<title>{ends}</title></line>"
        )
    parts = "\n".join([*shapes, *cells, *lines])
    return (
        f'<svg viewBox="0 0 {page.width} {page.height}" role="img" aria-label="floor plan">\n{parts}\n</svg>'
    )


def _kernel(page: PlacementPage, kernel: tuple[str, str, Placed], colour: str) -> str:
    name, kind, at = kernel
    top = page.height - at.y - at.height
    x, y = _centre(page, at)
    size = max(4.0, min(16.0, min(at.width, at.height) * 0.6))
    turn = f' transform="rotate(-90 {x:g} {y:g})"' if at.height > at.width else ""
    return (
        f'<g><rect class="kernel" x="{at.x}" y="{top}" width="{at.width}" height="{at.height}" fill="{colour}" '
        f'stroke="#222" stroke-width=".5"><title>{escape(name)}, {escape(kind)}, {at.width} x {at.height} at '
        f"({at.x}, {at.y}), {at.time:,} ticks</title></rect>"
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="middle" dominant-baseline="central" '
        f'pointer-events="none"{turn}>{escape(name)}</text></g>'
    )


def _centre(page: PlacementPage, at: Placed) -> tuple[float, float]:
    return at.x + at.width / 2, page.height - at.y - at.height / 2
