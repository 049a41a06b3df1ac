import pytest

from wsc.compiler.quantities import (
    Scale,
    format_bytes,
    format_count,
    format_cycles,
    format_number,
    format_percent,
    format_quantity,
    format_rate,
    format_seconds,
    scale_for,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1,023 B"),
        (1024, "1.00 KiB"),
        (49152, "48.0 KiB"),
        (1010 * 1024, "1,010 KiB"),
        (1023.4 * 1024, "1,023 KiB"),
        (1023.5 * 1024, "1.00 MiB"),
        (2**40 * 3.14159, "3.14 TiB"),
        (2**60, "1,024 PiB"),
        (-1536, "-1.50 KiB"),
        (NAN, "–"),
    ],
)
def test_bytes(value: float, text: str) -> None:
    assert format_bytes(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0 cycles"), (1, "1 cycle"), (1234567, "1,234,567 cycles")])
def test_cycles(value: int, text: str) -> None:
    assert format_cycles(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (1e-15, "0.00100 ps"),
        (1e-12, "1.00 ps"),
        (1.234e-6, "1.23 \N{MICRO SIGN}s"),
        (0.00123, "1.23 ms"),
        (0.9994, "999 ms"),
        (0.9995, "1.00 s"),
        (9.996, "10.0 s"),
        (61.5, "61.5 s"),
        (3600, "3,600 s"),
        (12345.6, "12,346 s"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert format_seconds(value) == text


@pytest.mark.parametrize(
    ("value", "what", "text"),
    [
        (0.25, "tokens", "0.250 tokens/s"),
        (999, "tokens", "999 tokens/s"),
        (12300, "tokens", "12.3 k tokens/s"),
        (1.2e15, "FLOP", "1.20 PFLOP/s"),
        (20e9, "B", "20.0 GB/s"),
    ],
)
def test_rates(value: float, what: str, text: str) -> None:
    assert format_rate(value, what) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.731, "", "0.731"),
        (0.9996, "", "1.00"),
        (0.00001234, "", "1.23e-05"),
        (1.2e6, "words per input", "1.20 M words per input"),
        (999.4, "words", "999 words"),
        (999.5, "words", "1.00 k words"),
        (2048, "bytes per core", "2.00 KiB per core"),
        (5e-13, "J", "0.500 pJ"),
        (INF, "s", "∞ s"),
    ],
)
def test_quantities(value: float, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (48, "48"),
        (48.0, "48"),
        (0.0731, "0.0731"),
        (1010.4, "1,010"),
        (-3.14159, "-3.14"),
        (-INF, "-∞"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0.0 %"),
        (1e-9, "< 0.1 %"),
        (0.00049, "< 0.1 %"),
        (0.0005, "0.1 %"),
        (0.931, "93.1 %"),
        (0.9994, "99.9 %"),
        (0.9995, "> 99.9 %"),
        (1, "100.0 %"),
        (12.5, "1,250.0 %"),
        (NAN, "–"),
    ],
)
def test_percentages(fraction: float, text: str) -> None:
    assert format_percent(fraction) == text


def test_counts() -> None:
    assert format_count(745500) == "745,500"


def test_one_prefix_serves_a_whole_colour_bar() -> None:
    assert scale_for(49152, "bytes") == Scale(1024, "KiB")
    assert scale_for(1.0, "") == Scale(1, "")
    assert scale_for(0, "s") == Scale(1, "s")
    assert scale_for(8e5, "words per input") == Scale(1e3, "k words per input")
