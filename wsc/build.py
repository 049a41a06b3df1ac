"""The build folder: every artefact in its own file, so that each stage can be looked at and rerun alone.

    manifest.json        format, version, target, and a digest of every other file and of itself
    machine.toml         the machine, as it was
    graph.txt            the graph that was planned          program.txt   the program
    trace.json           the simulated run                   plan.json     facts of the plan
    weights.npz          weights the program holds           examples.npz  inputs, and PyTorch's outputs for them

Commands may add to it what they can make again, such as maps/. A folder is written beside its place and renamed into
it, so that none is ever half written.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsc.arrays import read_arrays, write_arrays
from wsc.backends.registry import Selection, targets
from wsc.backends.target import Progress
from wsc.compiler.errors import BuildError, ModelError, WscError
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.text import parse_graph, print_graph
from wsc.compiler.ops.base import Array
from wsc.driver import Compiled
from wsc.folder import Manifest, check_digest, check_digests, read_manifest, replaced, write_manifest
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.trace import Trace


@dataclass(frozen=True, eq=False)
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
    def of(
        compiled: Compiled, inputs: tuple[Array, ...] | None = None, expected: tuple[Array, ...] | None = None
    ) -> Build:
        """The build of a compiled model; keeps only the weights that the program holds, and shares their memory."""
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
        """Outputs of the program for these inputs; raises InputMismatch, or ModelError for weights without data."""
        self.check_weights()
        return self.selection.target.execute(self.program, self.weights, inputs, progress)

    def check_weights(self) -> None:
        """Raise ModelError unless every weight of the program has data."""
        if self.selection.target.weight_keys(self.program) - set(self.weights):
            raise ModelError(
                f"'{self.name}' was compiled with weights on the meta device: its cycles were simulated, but it cannot "
                "be run. Give the model weights with data and compile it again."
            )

    def floorplan(self, wafer: int = 0) -> Floorplan:
        """Where everything lies, with fields over it."""
        selection = self.selection
        return selection.target.floorplan_of(self.program, selection.machine, self.trace, wafer)


def write_build(build: Build, folder: Path) -> Path:
    """Write a build folder in place of the build that is there, and return it; raises BuildError."""
    with replaced(folder) as beside:
        _write_files(build, beside)
    return folder


def _write_files(build: Build, folder: Path) -> None:
    selection = build.selection
    texts = {
        "machine.toml": selection.text,
        "graph.txt": print_graph(build.graph),
        "program.txt": selection.target.print(build.program),
        "trace.json": build.trace.to_json(),
        "plan.json": json.dumps(dict(build.facts), indent=1) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    write_arrays(folder / "weights.npz", build.weights)
    examples = {f"input{i}": a for i, a in enumerate(build.inputs or ())}
    examples |= {f"expected{i}": a for i, a in enumerate(build.expected or ())}
    write_arrays(folder / "examples.npz", examples)
    write_manifest(folder, build.name, selection.target.name, selection.machine.name)


def read_build(folder: Path) -> Build:
    """Read a build folder and check it against its digests; raises BuildError. Runs no code of the model.

    The weights are read, and checked, when they are first asked for.
    """
    manifest = read_manifest(folder)
    check_digests(folder, manifest, later=("weights.npz",))
    try:
        return _read(folder, manifest)
    except BuildError:
        raise
    except (OSError, LookupError, ValueError, TypeError, zipfile.BadZipFile, WscError) as error:
        raise BuildError(
            f"The build folder {folder} is corrupt ({error}): compile the model again."
        ) from error


def _read(folder: Path, manifest: Manifest) -> Build:
    texts = {
        name: (folder / name).read_text(encoding="utf-8")
        for name in manifest.files
        if not name.endswith(".npz")
    }
    if manifest.target not in targets():
        raise BuildError(
            f"The build folder {folder} is for the target '{manifest.target}', which is not installed."
        )
    target = targets()[manifest.target]
    machine = target.machine(folder / "machine.toml").model_copy(update={"name": manifest.machine})
    examples, graph = read_arrays(folder / "examples.npz"), parse_graph(texts["graph.txt"])
    return Build(
        manifest.name,
        Selection(target, machine, texts["machine.toml"]),
        graph,
        target.parse(texts["program.txt"]),
        Trace.from_json(texts["trace.json"]),
        tuple(json.loads(texts["plan.json"]).items()),
        read_arrays(folder / "weights.npz", lambda: check_digest(folder, manifest, "weights.npz")),
        _numbered(examples, "input") if graph.inputs else (),  # what moves weights alone takes none
        _numbered(examples, "expected"),
    )


def _numbered(arrays: Mapping[str, Array], prefix: str) -> tuple[Array, ...] | None:
    count = sum(name.startswith(prefix) for name in arrays)
    return tuple(arrays[f"{prefix}{i}"] for i in range(count)) or None
