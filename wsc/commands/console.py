"""What the commands print with: results on standard output, progress on standard error if that is a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from wsc.compiler.errors import BuildError
from wsc.silence import SILENT

DEFAULT_FOLDER = Path("build")


def for_people() -> Console:
    """What results for people are printed on."""
    return Console(quiet=SILENT.get())


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output; no figure may be infinite or NaN, which JSON does not have."""
    print(json.dumps(value, indent=1, allow_nan=False))  # noqa: T201


@contextmanager
def stages() -> Iterator[Callable[[str], None]]:
    """A function to call with the name of each stage as it begins; shows the last of them."""
    with Console(stderr=True, quiet=SILENT.get()).status("starting") as status:
        yield lambda stage: status.update(stage)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """A function to call with (what is done, how many are done, of how many)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    silent = not console.is_terminal or SILENT.get()
    with Progress(*columns, console=console, transient=True, disable=silent) as bar:
        task = bar.add_task(title, total=None)
        yield lambda what, done, total: bar.update(
            task, completed=done, total=total, description=f"{title}: {what}"
        )


def chosen_build(folder: Path | None) -> Path:
    """The folder given, or the build written last under build/; raises BuildError."""
    if folder is not None:
        return folder
    manifests = sorted(DEFAULT_FOLDER.glob("*/manifest.json"), key=lambda p: p.stat().st_mtime)
    if not manifests:
        raise BuildError(
            "There is no build in build/: make one with `wsc compile MODEL`, or name a build folder."
        )
    return manifests[-1].parent
