"""Compiled code is kept under a stamp of all sources: none is used that an older source made."""

import shutil
from pathlib import Path

import wsc.simulation.fabric
from wsc.simulation.fabric import clock

SOURCES = Path(wsc.simulation.fabric.__file__).parent


def test_every_module_counts(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(SOURCES, tmp_path / "fabric", ignore=shutil.ignore_patterns("__pycache__")))
    stamps = {clock.stamp_of(copy)}
    assert stamps == {clock.stamp_of(SOURCES)}
    modules = sorted(copy.glob("*.py"))
    for module in modules:
        module.write_text(module.read_text() + "\n")
        stamps.add(clock.stamp_of(copy))
    assert len(stamps) == len(modules) + 1
    assert 0 not in stamps


def test_the_compiled_loop_closes_over_the_stamp() -> None:
    cells = clock.advance.py_func.__closure__  # type: ignore[attr-defined] # numba's
    assert [cell.cell_contents for cell in cells] == [clock.stamp_of(SOURCES)]
