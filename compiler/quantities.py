"""Numbers for people: thousands separators, three digits, KiB for memory and SI prefixes for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf, isnan

NOTHING = "–"

_BINARY = ((1.0, ""), (2.0**10, "Ki"), (2.0**20, "Mi"), (2.0**30, "Gi"), (2.0**40, "Ti"), (2.0**50, "Pi"))
_LARGE = ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"), (1e15, "P"), (1e18, "E"))
_SMALL = ((1e-12, "p"), (1e-9, "n"), (1e-6, "\N{MICRO SIGN}"), (1e-3, "m"))

# How the first word of a unit is written: these take their prefix without a space, and may be small.
_BYTES = {"B", "bytes"}
_SYMBOLS = {"s", "J", "W", "V", "A", "Hz", "B/s", "FLOP", "FLOP/s", "OP/s"}


@dataclass(frozen=True)
class Scale:
    """A unit with its prefix, such as KiB, and how many of the plain unit it stands for."""

    factor: float
    unit: str


def scale_for(magnitude: float, unit: str) -> Scale:
    """The prefix in which `magnitude` reads best: 1,023 KiB is still KiB, 999.9 ms is already 1.00 s."""
    head, _, rest = unit.partition(" ")
    if head in _BYTES:
        factor, prefix = _largest(magnitude, _BINARY, 1 - 0.5 / 1024)
        return Scale(factor, f"{prefix}B {rest}".strip())
    factor, prefix = _largest(magnitude, _SMALL + _LARGE if head in _SYMBOLS else _LARGE, 1 - 0.5 / 1000)
    space = "" if head in _SYMBOLS else " "
    return Scale(factor, f"{prefix}{space}{unit}".strip())


def _largest(magnitude: float, prefixes: tuple[tuple[float, str], ...], almost: float) -> tuple[float, str]:
    """The largest prefix of which there is at least `almost` one: that much rounds up to one."""
    if magnitude == 0 or isnan(magnitude) or isinf(magnitude):
        return 1.0, ""
    fitting = [prefix for prefix in prefixes if abs(magnitude) >= almost * prefix[0]]
    return fitting[-1] if fitting else prefixes[0]


def format_number(value: float) -> str:
    """Three significant digits, or all digits of an integer, with thousands separators: 0.731, 48, 1,010."""
    if isnan(value):
        return NOTHING
    if isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:,.0f}" if value == int(value) else _three_digits(value)


def _three_digits(value: float) -> str:
    scientific = f"{value:.2e}"
    exponent = int(scientific.partition("e")[2])
    if exponent < -4:
        return scientific
    return f"{value:,.0f}" if exponent >= 2 else f"{value:.{2 - exponent}f}"


def format_quantity(value: float, unit: str) -> str:
    """A value with its unit and the prefix in which it reads best: 48.0 KiB, 1.20 M words per input."""
    scale = scale_for(value, unit)
    digits = format_number(value) if scale.factor == 1 else _three_digits(value / scale.factor)
    return digits if isnan(value) else f"{digits} {scale.unit}".rstrip()


def format_count(value: int) -> str:
    """12345 is 12,345."""
    return f"{value:,}"


def format_bytes(value: float) -> str:
    """1536 is 1.50 KiB."""
    return format_quantity(value, "B")


def format_cycles(value: int) -> str:
    """1234567 is 1,234,567 cycles: exact, since people compare them."""
    return f"{value:,} cycle{'' if value == 1 else 's'}"


def format_seconds(value: float) -> str:
    """0.00123 is 1.23 ms."""
    return f"{format_number(value)} s" if abs(value) >= 999.5 else format_quantity(value, "s")


def format_rate(value: float, what: str) -> str:
    """12300 of "tokens" is 12.3 k tokens/s; 1.2e15 of "FLOP" is 1.20 PFLOP/s."""
    return format_quantity(value, f"{what}/s")


def format_percent(fraction: float) -> str:
    """0.931 is 93.1 %; never 0 or 100 for what is only near them."""
    if isnan(fraction):
        return NOTHING
    if 0 < fraction < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= fraction < 1:
        return "> 99.9 %"
    return f"{100 * fraction:,.1f} %"
