"""`wsc targets`."""

from __future__ import annotations

from rich.table import Table

from wsc.backends.registry import machine_names, targets
from wsc.commands.console import for_people, print_json


def list_targets(json: bool) -> None:
    """Print every machine with its target and what it is."""
    rows = []
    for name, kind in machine_names().items():
        path = targets()[kind].machines()[name]
        rows.append((name, kind, _about(path.read_text(encoding="utf-8"))))
    if json:
        print_json([{"machine": m, "target": t, "about": a} for m, t, a in rows])
        return
    table = Table("machine", "target", "about", box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    for_people().print(table)


def _about(text: str) -> str:
    """The comment at a machine file's top, up to its first full stop."""
    lines = [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")]
    return " ".join(lines).split(". ")[0].rstrip(".")
