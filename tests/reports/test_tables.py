from io import StringIO

import pytest
from rich.console import Console, RenderableType

from wsc.reports.tables import KernelRow, kernel_table, percent_bar, summary_panel


def written(what: RenderableType, width: int = 90) -> str:
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(what)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


ROWS = (
    KernelRow("model.h.0.fc", "linear", 12500, 1234567, 49152, 0.8),
    KernelRow("model.h.0.[norm]", "norm", 1500, 900, 6000, float("nan")),
)


def test_kernel_table() -> None:
    expected = """
 kernel      group    cores     cycles  SRAM/core  use
 ────────────────────────────────────────────────────────────────
 h.0.fc      linear  12,500  1,234,567   48.0 KiB  ███▎   80.0 %
 h.0.[norm]  norm     1,500        900   5.86 KiB              –

 total               14,000
"""
    assert written(kernel_table(ROWS)) == expected


def test_kernels_of_repeated_layers_share_a_row() -> None:
    rows = (
        KernelRow("wte", "embedding", 3456, 3024, 48128, 0.04),
        KernelRow("h.*.ln_1", "norm", 336, 36688, 16384, 0.75, count=12),
        KernelRow("h.*.attn.c_attn", "linear", 172800, 35200, 12000, 0.858, count=12),
        KernelRow("h.*.attn", "attention", 27648, 36908, 29900, 0.812, count=12),
        KernelRow("h.*.mlp.c_proj", "linear", 227520, 1036696, 11878, 0.908, count=12),
    )
    expected = """
 kernel            ×  group        cores     cycles  SRAM/core  use
 ─────────────────────────────────────────────────────────────────────────────
 wte               1  embedding    3,456      3,024   47.0 KiB  ▏       4.0 %
 h.*.ln_1         12  norm           336     36,688   16.0 KiB  ███    75.0 %
 h.*.attn.c_attn  12  linear     172,800     35,200   11.7 KiB  ███▍   85.8 %
 h.*.attn         12  attention   27,648     36,908   29.2 KiB  ███▎   81.2 %
 h.*.mlp.c_proj   12  linear     227,520  1,036,696   11.6 KiB  ███▋   90.8 %

 total            49             431,760
"""
    assert written(kernel_table(rows), width=80) == expected


def test_a_narrow_table_keeps_its_figures_whole() -> None:
    text = written(kernel_table((KernelRow("very" * 20, "g" * 30, 12500, 1234567, 49152, 1),)), width=70)
    for part in ("12,500", "1,234,567", "48.0 KiB", "100.0 %", "…"):
        assert part in text
    assert text.count("veryveryve") == 4  # the name is broken, not cut


def test_an_empty_table() -> None:
    assert "total" in written(kernel_table(()))


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "              0.0 %"),
        (0.01, "▏             1.0 %"),
        (0.5, "█████        50.0 %"),
        (0.999, "██████████   99.9 %"),
        (1, "██████████  100.0 %"),
        (1.3, "██████████  130.0 %"),
        (float("nan"), "                  –"),
    ],
)
def test_percent_bar(fraction: float, text: str) -> None:
    assert percent_bar(fraction).plain == text


def test_summary_panel() -> None:
    expected = """\
╭─ GPT-2 ──────────────────╮
│ cycles  1,234,567 cycles │
│ [note]  48.0 KiB         │
╰──────────────────────────╯"""
    assert (
        written(summary_panel("GPT-2", [("cycles", "1,234,567 cycles"), ("[note]", "48.0 KiB")])) == expected
    )


def test_negative_figures_are_refused() -> None:
    with pytest.raises(ValueError, match="negative figure in the row of kernel 'fc'"):
        KernelRow("fc", "linear", 1, -1, 0, 0.5)
