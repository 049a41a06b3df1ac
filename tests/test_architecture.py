"""The layers of the house and the sizes of its files, read from the source; no module of ours is imported.

A room may import itself and what ROOMS grants it. A library listed in OWNERS stays with its owner. In a
target's folder, ROLES keeps the parts that decide apart from the parts that judge: a simulator that shares
formulas with the estimate only confirms itself.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parent.parent

# room: what it may import from wsc, besides itself. The command line (wsc/*.py) may import everything.
ROOMS = {
    "compiler": (),
    "frontend": ("wsc.compiler",),
    "placement": ("wsc.compiler",),
    "simulation": ("wsc.compiler",),
    "reports": ("wsc.compiler", "wsc.simulation", "wsc.placement.result"),
    "backends": (
        "wsc.compiler",
        "wsc.placement",
        "wsc.simulation",
    ),  # and of the targets only one's own folder
}

# library: the only rooms that may import it, lazily or not; "wsc" is the command line.
OWNERS = {
    "torch": {"frontend"},
    "transformers": {"frontend"},
    "diffusers": {"frontend"},
    "ortools": {"placement"},
    "matplotlib": {"reports"},
    "typer": {"wsc"},
}

# file or folder of a target: what it must not reach, directly or through other files of that target.
DECIDING = {"plan", "emit", "estimate", "legalize", "algorithms", "wsc.placement"}
ROLES = {
    "simulate": DECIDING,
    "execute": DECIDING,
    "estimate": {"simulate", "wsc.simulation"},
    "algorithms": {"simulate", "execute", "wsc.simulation"},
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60


def test_layers() -> None:
    targets = {folder.name for folder in (ROOT / "backends").iterdir() if (folder / "__init__.py").exists()}
    broken = [line for name, tree in modules().items() for line in layer_faults(name, imports(tree), targets)]
    assert not broken, "\n".join(broken)


def test_roles_within_a_target() -> None:
    broken = list(role_faults({name: imports(tree) for name, tree in modules().items()}))
    assert not broken, "\n".join(broken)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = import_graph({name: imports(tree) for name, tree in modules().items()})
    circles = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert not circles, circles


def test_a_circle_of_imports_is_caught() -> None:
    graph = import_graph({"wsc.a": ["wsc.b.Thing"], "wsc.b": ["wsc.a"], "wsc.c": ["wsc.a"]})
    assert {"wsc.a", "wsc.b"} in list(nx.strongly_connected_components(graph))


def test_rooms_are_imported_by_their_full_name() -> None:
    broken = [f"{path}: {line}" for path, tree in sources().items() for line in bare_names(imports(tree))]
    assert not broken, "\n".join(broken)


def test_every_public_module_says_what_it_is() -> None:
    silent = [name for name, tree in modules().items() if is_public(name) and not ast.get_docstring(tree)]
    assert not silent, f"no docstring: {', '.join(silent)}"


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in sources() if module_name(path)}
    missing = sorted(str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists())
    assert not missing, f"no __init__.py: {', '.join(missing)}"


def test_files_are_short() -> None:
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in sources()}
    long = [f"{path}: {lines} lines" for path, lines in lengths.items() if lines > MAX_FILE_LINES]
    assert not long, f"over {MAX_FILE_LINES} lines: {long}"


def test_functions_are_short() -> None:
    long = [f"{path}: {line}" for path, tree in sources().items() for line in long_functions(tree)]
    assert not long, "\n".join(long)


LAYER_FAULTS = [
    ("wsc.compiler.ir.graph", "import torch"),
    ("wsc.compiler.ops.add", "def f():\n    import torch.fx"),
    ("wsc.compiler.passes.fold", "from wsc.placement.solve import solve"),
    ("wsc.compiler.passes.fold", "from wsc import backends"),
    ("wsc.frontend.capture", "from wsc.backends.wafer import machine"),
    ("wsc.placement.solve", "import wsc.simulation.kernel"),
    ("wsc.placement.solve", "import importlib\nimportlib.import_module('torch')"),
    ("wsc.simulation.links", "from wsc.placement.result import Placement"),
    ("wsc.simulation.links", "from ortools.sat.python import cp_model"),
    ("wsc.reports.heat", "from wsc.placement import solve"),
    ("wsc.reports.heat", "from wsc.backends import wafer"),
    ("wsc.backends.wafer.plan", "from wsc.frontend.capture import capture"),
    ("wsc.backends.wafer.plan", "from wsc.reports import heat"),
    ("wsc.backends.wafer.plan", "from wsc.backends.cim import machine"),
    ("wsc.backends.wafer.plan", "from wsc.backends import cim"),
    ("wsc.backends.wafer.plan", "from .machine import Wafer"),
    ("wsc.backends.wafer.plan", "import wsc"),
    ("wsc.backends.wafer.plan", "import matplotlib.pyplot as plt"),
    ("wsc.reports.tables", "import typer"),
    ("wsc.cli", "import torch"),
]


@pytest.mark.parametrize(("name", "source"), LAYER_FAULTS)
def test_a_planted_import_across_layers_is_caught(name: str, source: str) -> None:
    assert list(layer_faults(name, imports(ast.parse(source)), {"wafer", "cim"}))


LAWFUL = [
    ("wsc.compiler.ir.graph", "import numpy\nfrom wsc.compiler.errors import WscError"),
    ("wsc.frontend.capture", "import torch\nfrom wsc.compiler.ir import Graph"),
    ("wsc.reports.heat", "import matplotlib\nfrom wsc.placement.result import Placement"),
    ("wsc.backends.wafer.plan", "from wsc.backends.wafer import machine\nfrom wsc.placement import solve"),
    ("wsc.backends", "from wsc.backends import wafer"),
    ("wsc.cli", "import typer\nfrom wsc.frontend.capture import capture\nfrom wsc import backends"),
]


@pytest.mark.parametrize(("name", "source"), LAWFUL)
def test_a_lawful_import_passes(name: str, source: str) -> None:
    assert not list(layer_faults(name, imports(ast.parse(source)), {"wafer", "cim"}))


def test_a_simulator_that_reaches_the_plan_is_caught() -> None:
    target = "wsc.backends.wafer"
    direct = {f"{target}.simulate": ["wsc.placement.result.Placement"]}
    through_helper = {
        f"{target}.simulate.kernel": [f"{target}.helper.area"],
        f"{target}.helper": [f"{target}.estimate"],
    }
    lawful = {f"{target}.simulate": [f"{target}.program.Send"], f"{target}.plan": [f"{target}.estimate"]}
    assert list(role_faults(direct))
    assert list(role_faults(through_helper))
    assert not list(role_faults(lawful))


def test_bare_names_and_long_functions_are_caught() -> None:
    bare = ast.parse("from compiler.ir import Graph\nimport backends")
    assert len(list(bare_names(imports(bare)))) == 2
    body = "    pass\n" * MAX_FUNCTION_LINES
    assert list(long_functions(ast.parse("class A:\n  def f(self):\n" + body)))
    assert not list(long_functions(ast.parse("def f():\n" + body.removesuffix("    pass\n"))))


def layer_faults(name: str, imported: list[str], targets: set[str]) -> Iterator[str]:
    """What module `name` imports against ROOMS and OWNERS."""
    room = room_of(name)
    for other in imported:
        owners = OWNERS.get(other.split(".")[0], {room})
        if room not in owners:
            yield f"{name} imports {other}, which only {' and '.join(sorted(owners))} may"
        if other.startswith("."):
            yield f"{name} imports {other}: write `from wsc...`"
        if room != "wsc" and is_ours(other) and not may_import(name, other, targets):
            yield f"{name} imports {other}, against the layers of the house"


def may_import(name: str, other: str, targets: set[str]) -> bool:
    room = room_of(name)
    if any(within(other, granted) for granted in ROOMS[room]):
        return True
    if target_of(name) in targets and target_of(other) in targets:
        return target_of(name) == target_of(other)
    return room_of(other) == room


def role_faults(graph: dict[str, list[str]]) -> Iterator[str]:
    """What the files of a target reach against ROLES; `graph` gives each module's imports."""
    for name in graph:
        prefix = ".".join(name.split(".")[:3])
        role = name.removeprefix(f"{prefix}.").split(".")[0]
        if room_of(name) != "backends" or role not in ROLES:
            continue
        banned = {part if part.startswith("wsc.") else f"{prefix}.{part}" for part in ROLES[role]}
        for other in sorted(reached(graph, name, prefix)):
            if any(within(other, part) for part in banned):
                yield f"{name} reaches {other}, which a target's {role} must not know"


def reached(graph: dict[str, list[str]], start: str, prefix: str) -> set[str]:
    """Everything imported by `start`, or by files under `prefix` that it leads to."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        fresh = set(graph.get(waiting.pop(), [])) - seen
        seen |= fresh
        files = enclosing(fresh) & graph.keys()
        waiting += sorted(file for file in files if file.startswith(f"{prefix}."))
    return seen


def import_graph(graph: dict[str, list[str]]) -> "nx.DiGraph[str]":
    """Modules, and which imports which; a package that encloses a module is not counted as imported by it."""
    edges = (
        (name, other)
        for name, imported in graph.items()
        for other in enclosing(set(imported)) & graph.keys()
        if not within(name, other)
    )
    return nx.DiGraph(edges)


def enclosing(names: set[str]) -> set[str]:
    """The names and every dotted path that leads to them."""
    return {name.rsplit(".", depth)[0] for name in names for depth in range(name.count(".") + 1)}


def bare_names(imported: list[str]) -> Iterator[str]:
    for other in imported:
        if other.split(".")[0] in ROOMS:
            yield f"write wsc.{other}, not {other}"


def long_functions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{node.name} (line {node.lineno}) has {lines} lines"


def imports(tree: ast.Module) -> list[str]:
    """Every name imported anywhere in a module, as a dotted path; `from a import b` gives a.b."""
    found: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                found += [alias.name for alias in node.names]
            case ast.ImportFrom(module=None | str() as module, level=level):
                origin = "." * level + (module or "")
                found += [f"{origin}.{alias.name}" for alias in node.names]
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str() as literal), *_],
            ):
                found.append(literal)
    return found


@cache
def sources() -> dict[Path, ast.Module]:
    """Every Python file of the repository, by its path from the root; links are not followed."""
    folders = [*ROOMS, "wsc", "tests", "samples", "benchmarks"]
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    kept = [path for path in paths if not any(parent.is_symlink() for parent in path.parents)]
    return {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in kept}


def modules() -> dict[str, ast.Module]:
    """Every module of wsc, by its dotted name."""
    return {name: tree for path, tree in sources().items() if (name := module_name(path))}


def module_name(path: Path) -> str | None:
    """compiler/ir/graph.py is wsc.compiler.ir.graph; tests and samples have no name."""
    if path.parts[0] not in {*ROOMS, "wsc"}:
        return None
    parts = [part for part in path.with_suffix("").parts if part not in {"wsc", "__init__"}]
    return ".".join(["wsc", *parts])


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def is_ours(name: str) -> bool:
    return within(name, "wsc")


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def room_of(name: str) -> str:
    """The room of a dotted name; "wsc" for the command line and for anything that is not ours."""
    return next((room for room in ROOMS if within(name, f"wsc.{room}")), "wsc")


def target_of(name: str) -> str:
    """wsc.backends.wafer.plan is of the target wafer; "" where there is none."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["wsc", "backends"] and len(parts) > 2 else ""
