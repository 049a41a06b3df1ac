"""Names that fit into rectangles: shortened, broken at dots, turned upright or left out, never overflowing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

FONT = "DejaVu Sans"  # comes with matplotlib, so it is the same everywhere
LARGEST = 8.0  # points
COMFORTABLE = 5.5
SMALLEST = 4.0  # still read on paper
LINE_HEIGHT = 1.2  # of the font's size
FEWEST_LETTERS = 6  # of a name cut in the middle
MOST_LINES = 3
MARGIN = 4.5  # points, both sides together


@dataclass(frozen=True)
class Label:
    """Text with its font size in points; `upright` text reads from bottom to top."""

    text: str
    size: float
    upright: bool


def shorten(names: Sequence[str]) -> dict[str, str]:
    """Each name without the leading parts that most of them share: transformer.h.0.attn becomes h.0.attn.

    Names stay distinct, and none starts with a layer's number, or with the star for any.
    """
    short = {name: name for name in names}
    while (part := _common_part(list(short.values()))) is not None:
        shorter = {name: text.removeprefix(f"{part}.") for name, text in short.items()}
        if len(set(shorter.values())) < len(set(short.values())):
            break
        if any(text[:1].isdigit() or text[:1] == "*" for text in shorter.values()):
            break
        short = shorter
    return short


def _common_part(names: Sequence[str]) -> str | None:
    """The first part of more than half of the names, of those that have more than one part."""
    parts = Counter(name.partition(".")[0] for name in names if "." in name.strip("."))
    if not parts:
        return None
    part, count = parts.most_common(1)[0]
    return part if part and 2 * count > len(names) and count > 1 else None


def fit_label(name: str, width: float, height: float) -> Label | None:
    """The most of `name` that can be read in width x height points, or None."""
    name = printable(name)
    fitting = [label for text in _variants(name) if (label := _largest(text, width, height)) is not None]
    comfortable = [label for label in fitting if label.size >= COMFORTABLE]
    return next(iter(comfortable + fitting), None) or _cut(name, width, height)


def _variants(name: str) -> Iterator[str]:
    """The name, then the layer and the last part: h.0.mlp.c_fc, h.0…c_fc."""
    yield name
    parts = name.split(".")
    layer = next((index for index, part in enumerate(parts) if part.isdigit()), 0)
    if layer + 2 < len(parts):
        yield ".".join(parts[: layer + 1]) + "…" + parts[-1]


def _largest(text: str, width: float, height: float) -> Label | None:
    """The largest way to write all of `text`; lying on one line unless another way is clearly larger."""
    best: Label | None = None
    for lines in _broken(text):
        for upright in (False, True):
            size = _size(lines, height, width) if upright else _size(lines, width, height)
            if size >= SMALLEST and (best is None or size > 1.15 * best.size):
                best = Label(lines, size, upright)
    return best


def _broken(text: str) -> Iterator[str]:
    """The text on one line, then on more, broken after dots and … so that the longest line is short."""
    yield text
    parts = text.replace(".", ".\0").replace("…", "…\0").split("\0")
    for count in range(2, min(MOST_LINES, len(parts)) + 1):
        yield "\n".join(_balanced(parts, count))


def _balanced(parts: Sequence[str], count: int) -> list[str]:
    """`parts` joined to `count` lines whose longest is as short as can be."""
    if count == 1:
        return ["".join(parts)]
    ways = [
        ["".join(parts[:first]), *_balanced(parts[first:], count - 1)]
        for first in range(1, len(parts) - count + 2)
    ]
    return min(ways, key=lambda lines: max(map(len, lines)))


def _size(lines: str, width: float, height: float) -> float:
    """The font size at which `lines` just fit, at most LARGEST."""
    rows = lines.split("\n")
    widest = max(text_width(row) for row in rows)
    by_width = (width - MARGIN) / widest if widest else LARGEST
    return min(LARGEST, by_width, (height - 1.5) / (LINE_HEIGHT * len(rows)))


def _cut(name: str, width: float, height: float) -> Label | None:
    """A name too long for its rectangle, with … for its middle."""
    upright = height > width
    along, across = (height, width) if upright else (width, height)
    size = min(COMFORTABLE, (across - 1.5) / LINE_HEIGHT)
    text = elide(name, (along - MARGIN) / size) if size >= SMALLEST else ""
    return Label(text, size, upright) if len(text) > FEWEST_LETTERS else None


def elide(text: str, width: float) -> str:
    """`text` within `width` times the font size, with … for its middle where it must; "" if nothing fits."""
    text = printable(text)
    if text_width(text) <= width:
        return text
    kept = int(len(text) * width / text_width(text)) + 1
    while kept > 0:
        kept -= 1
        shorter = text[: (kept + 1) // 2] + "…" + (text[-(kept // 2) :] if kept > 1 else "")
        if text_width(shorter) <= width:
            return shorter
    return ""


@lru_cache(maxsize=4096)
def text_width(text: str) -> float:
    """The width of one line of text, as a multiple of the font size."""
    font = _font()
    font.set_size(100, 72)
    font.set_text(printable(text))
    return font.get_width_height()[0] / 64 / 100


@lru_cache(maxsize=4096)
def printable(text: str) -> str:
    """`text` with a box for what the font cannot write, line breaks among it."""
    if text.isascii() and text.isprintable():
        return text
    font = _font()
    return "".join(letter if font.get_char_index(ord(letter)) else "□" for letter in text)


def _font() -> FT2Font:
    from matplotlib.font_manager import findfont, get_font

    return get_font(findfont(FONT))
