"""The build folder: every artefact in its own file, so that each stage can be looked at and rerun alone.

    manifest.json        format, version, target, and a digest of every other file
    machine.toml         the machine, as it was
    graph.txt            the graph that was planned          program.txt   the program
    trace.json           the simulated run                   plan.json     facts of the plan
    weights.npz          weights the program holds           examples.npz  inputs, and PyTorch's outputs for them

A folder is written beside its place and renamed into it, so that none is ever half written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsc.arrays import read_arrays, write_arrays
from wsc.backends.registry import Selection, targets
from wsc.backends.target import Progress
from wsc.compiler.errors import BuildError, WscError
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.text import parse_graph, print_graph
from wsc.compiler.ops.base import Array
from wsc.driver import Compiled
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.trace import Trace

FORMAT = "wsc build"
VERSION = 1
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Build:
    """What a build folder holds. `weights` lacks what was on the meta device; `inputs` and `expected` may be absent."""

    name: str
    selection: Selection
    graph: Graph
    program: Any = field(repr=False)
    trace: Trace = field(repr=False)
    facts: tuple[tuple[str, str], ...]
    weights: Mapping[str, Array] = field(repr=False)
    inputs: tuple[Array, ...] | None = field(repr=False, default=None)
    expected: tuple[Array, ...] | None = field(repr=False, default=None)

    @staticmethod
    def of(compiled: Compiled, inputs: tuple[Array, ...] | None, expected: tuple[Array, ...] | None) -> Build:
        """The build of a compiled model; keeps only the weights that the program holds."""
        target, held = compiled.selection.target, compiled.model.weights
        keys = sorted(target.weight_keys(compiled.program) & set(held))
        return Build(
            compiled.model.graph.name,
            compiled.selection,
            compiled.model.graph,
            compiled.program,
            compiled.trace,
            target.facts(compiled.plan),
            {key: held[key] for key in keys},
            inputs,
            expected,
        )

    def execute(self, inputs: Sequence[Array], progress: Progress | None = None) -> tuple[Array, ...]:
        """Outputs of the program for these inputs; raises InputMismatch."""
        return self.selection.target.execute(self.program, self.weights, inputs, progress)

    def floorplan(self) -> Floorplan:
        """Where everything lies, with fields over it."""
        return self.selection.target.floorplan(self.program, self.selection.machine, self.trace)


def write_build(build: Build, folder: Path) -> Path:
    """Write a build folder in place of what is there, and return it; raises BuildError."""
    try:
        _refuse_foreign(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BuildError(f"cannot write a build folder at {folder}: {error.strerror or error}") from error
    try:
        _write_files(build, beside)
        _swap(beside, folder)
    except OSError as error:
        raise BuildError(f"cannot write the build folder {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _refuse_foreign(folder: Path) -> None:
    """A folder that holds something else than a build is the user's, and stays."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MANIFEST).exists():
        raise BuildError(
            f"{folder} holds files that are no build of wsc; choose another folder with --output"
        )
    if folder.exists() and not folder.is_dir():
        raise BuildError(f"{folder} is a file; choose another folder with --output")


def _write_files(build: Build, folder: Path) -> None:
    target = build.selection.target
    texts = {
        "machine.toml": build.selection.path.read_text(encoding="utf-8"),
        "graph.txt": print_graph(build.graph),
        "program.txt": target.print(build.program),
        "trace.json": build.trace.to_json(),
        "plan.json": json.dumps(dict(build.facts), indent=1) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    write_arrays(folder / "weights.npz", build.weights)
    examples = {f"input{i}": a for i, a in enumerate(build.inputs or ())}
    examples |= {f"expected{i}": a for i, a in enumerate(build.expected or ())}
    write_arrays(folder / "examples.npz", examples)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "name": build.name,
        "target": target.name,
        "machine": build.selection.machine.name,
        "files": {path.name: _digest(path) for path in sorted(folder.iterdir())},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def _swap(beside: Path, folder: Path) -> None:
    """Put a finished folder in its place; the old one, if any, stays until the new one is there."""
    beside.chmod(0o755)
    old = folder.with_name(f".{folder.name}-old-{os.getpid()}")
    if folder.exists():
        folder.rename(old)
    try:
        beside.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def read_build(folder: Path) -> Build:
    """Read a build folder and check it against its digests; raises BuildError. Runs no code of the model."""
    manifest = _manifest(folder)
    try:
        return _read(folder, manifest)
    except BuildError:
        raise
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, WscError) as error:
        raise BuildError(
            f"the build folder {folder} is corrupt ({error}); compile the model again"
        ) from error


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise BuildError(
            f"{folder} is no build folder: it has no {_MANIFEST}; make one with `wsc compile MODEL`"
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        form, version = manifest["format"], manifest["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"the build folder {folder} is corrupt: {_MANIFEST} cannot be read ({error})"
        ) from error
    if form != FORMAT or version != VERSION:
        raise BuildError(
            f"{folder} is a '{form}' of version {version}; this wsc reads '{FORMAT}' of version {VERSION}: "
            "compile the model again"
        )
    return manifest  # type: ignore[no-any-return]


def _read(folder: Path, manifest: dict[str, Any]) -> Build:
    for name, digest in manifest["files"].items():
        if not (folder / name).is_file() or _digest(folder / name) != digest:
            raise BuildError(
                f"the build folder {folder} is corrupt: {name} is missing or changed; compile again"
            )
    target = targets()[manifest["target"]]
    machine = target.machine(folder / "machine.toml").model_copy(update={"name": manifest["machine"]})
    facts = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    examples = read_arrays(folder / "examples.npz")
    return Build(
        manifest["name"],
        Selection(target, machine, folder / "machine.toml"),
        parse_graph((folder / "graph.txt").read_text(encoding="utf-8")),
        target.parse((folder / "program.txt").read_text(encoding="utf-8")),
        Trace.from_json((folder / "trace.json").read_text(encoding="utf-8")),
        tuple(facts.items()),
        read_arrays(folder / "weights.npz"),
        _numbered(examples, "input"),
        _numbered(examples, "expected"),
    )


def _numbered(arrays: Mapping[str, Array], prefix: str) -> tuple[Array, ...] | None:
    found = [name for name in arrays if name.startswith(prefix)]
    return tuple(np.asarray(arrays[f"{prefix}{i}"]) for i in range(len(found))) or None
