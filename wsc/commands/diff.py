"""`wsc diff`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from wsc.build import Build, read_build
from wsc.commands.console import for_people, print_json
from wsc.compiler.quantities import NOTHING, format_count
from wsc.simulation.floorplan import Region
from wsc.simulation.trace import KernelTrace

_MOST_ROWS = 30


@dataclass(frozen=True)
class KernelChange:
    """A kernel in two builds, None where one has no kernel of the name: busy cycles an input, units, and its place."""

    name: str
    before: KernelTrace | None
    after: KernelTrace | None
    place_before: Region | None
    place_after: Region | None

    @property
    def cycles(self) -> tuple[float | None, float | None]:
        """Busy cycles an input, before and after."""
        return tuple(None if k is None else k.busy_cycles for k in (self.before, self.after))  # type: ignore[return-value]

    @property
    def more_cycles(self) -> float:
        """What the kernel takes more than before; a kernel that is not there takes none."""
        before, after = self.cycles
        return (after or 0) - (before or 0)

    @property
    def moved(self) -> bool:
        """Whether it lies elsewhere, or on a rectangle of another size."""
        a, b = self.place_before, self.place_after
        return a is not None and b is not None and _box(a) != _box(b)

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return self.before is None or self.after is None or self.more_cycles != 0 or self.moved


def diff_builds(before: Path, after: Path, json: bool) -> None:
    """Print what differs between two builds: cycles, the program, the placement, the cycles of each kernel."""
    builds = read_build(before), read_build(after)
    changes = [change for change in kernel_changes(*builds) if change.changed]
    if json:
        print_json(_json(builds, changes))
        return
    console = for_people()
    console.print(_totals(builds, (str(before), str(after))))
    console.print(_facts(builds)) if _changed_facts(builds) else None
    if changes:
        console.print(_kernels(changes))
    if len(changes) > _MOST_ROWS:
        rest = f"{len(changes) - _MOST_ROWS:,} more kernels differ by less; --json lists them all"
        console.print(rest, highlight=False)
    console.print(_told(builds, changes), highlight=False)


def kernel_changes(before: Build, after: Build) -> list[KernelChange]:
    """Every kernel of either build by name, those whose cycles differ most first."""
    kernels = [{k.name: k for k in build.trace.kernels} for build in (before, after)]
    places = [{region.name: region for region in build.floorplan().regions} for build in (before, after)]
    names = dict.fromkeys([*kernels[0], *kernels[1]])
    changes = [
        KernelChange(n, kernels[0].get(n), kernels[1].get(n), places[0].get(n), places[1].get(n))
        for n in names
    ]
    return sorted(changes, key=lambda change: -abs(change.more_cycles))


def _box(region: Region) -> tuple[int, int, int, int]:
    return region.x, region.y, region.width, region.height


def _program_lines(builds: tuple[Build, Build]) -> tuple[int, int]:
    """Lines of the program's text that only the first has, and that only the second has, wherever they stand."""
    first, second = (Counter(b.selection.target.print(b.program).splitlines()) for b in builds)
    return (first - second).total(), (second - first).total()


def _totals(builds: tuple[Build, Build], names: tuple[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, justify in (("", "left"), (names[0], "right"), (names[1], "right"), ("change", "right")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for title, figures in _total_figures(builds).items():
        table.add_row(title, *map(_count, figures), _relative(*figures))
    machines = [build.selection.machine.name for build in builds]
    table.add_row("machine", *machines, "" if machines[0] == machines[1] else "differs")
    return table


def _total_figures(builds: tuple[Build, Build]) -> dict[str, tuple[float, float]]:
    a, b = (build.trace for build in builds)
    return {
        "latency, cycles": (a.latency_cycles, b.latency_cycles),
        "interval, cycles": (a.interval_cycles, b.interval_cycles),
        "kernels": (len(a.kernels), len(b.kernels)),
        "units used": (sum(k.units for k in a.kernels), sum(k.units for k in b.kernels)),
    }


def _changed_facts(builds: tuple[Build, Build]) -> list[tuple[str, str, str]]:
    a, b = (dict(build.facts) for build in builds)
    names = dict.fromkeys([*a, *b])
    return [(n, a.get(n, NOTHING), b.get(n, NOTHING)) for n in names if a.get(n) != b.get(n)]


def _facts(builds: tuple[Build, Build]) -> Table:
    table = Table("fact", "before", "after", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in _changed_facts(builds):
        table.add_row(*(Text(text) for text in row))
    return table


def _kernels(changes: list[KernelChange]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("kernel", overflow="fold")
    for name in ("cycles before", "after", "change", "region before", "after"):
        table.add_column(name, justify="right", no_wrap=True)
    for change in changes[:_MOST_ROWS]:
        before, after = change.cycles
        places = (change.place_before, change.place_after)
        regions = [NOTHING if p is None else f"{p.width}x{p.height} at {p.x},{p.y}" for p in places]
        table.add_row(Text(change.name), _count(before), _count(after), _relative(before, after), *regions)
    return table


def _count(value: float | None) -> str:
    return NOTHING if value is None else format_count(int(value))


def _relative(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "new" if before is None else "gone"
    if before == after:
        return "="
    return f"{after / before - 1:+.1%}" if before else "new"


def _told(builds: tuple[Build, Build], changes: list[KernelChange]) -> str:
    gone, come = _program_lines(builds)
    if not gone and not come:
        return (
            "The programs are the same."
            if not changes
            else "The programs are the same; their machines differ."
        )
    moved = sum(change.moved for change in changes)
    lines = f"{gone:,} lines only in the first, {come:,} only in the second"
    return f"The programs differ: {lines}; {moved:,} kernels moved."


def _json(builds: tuple[Build, Build], changes: list[KernelChange]) -> dict[str, Any]:
    gone, come = _program_lines(builds)
    return {
        "totals": {name: {"before": a, "after": b} for name, (a, b) in _total_figures(builds).items()},
        "machines": [build.selection.machine.name for build in builds],
        "facts": [{"name": n, "before": a, "after": b} for n, a, b in _changed_facts(builds)],
        "program_lines_only_before": gone,
        "program_lines_only_after": come,
        "kernels": [
            {
                "name": change.name,
                "cycles": list(change.cycles),
                "regions": [
                    None if p is None else _box(p) for p in (change.place_before, change.place_after)
                ],
            }
            for change in changes
        ],
    }
