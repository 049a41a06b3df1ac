"""Capture every model of the zoo at full size on the meta device and write docs/models.md.

    python -m benchmarks.models                # the table: about ten minutes on two cores
    python -m benchmarks.models llama3-70b     # one model, as JSON
    python -m benchmarks.models --plan         # the table, with a plan for every target; takes much longer

Each model runs in a process of its own, so that its peak memory is its own. Seconds are CPU seconds of the process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "models.md"
MACHINES = {"wafer": "wse2"}  # the machine to ask, where a target's first is a piece for tests
HEAD = """# Models

Written by `python -m benchmarks.models`. Full size, weights on the meta device, one input of the size that the zoo
(`benchmarks/zoo.py`) says. Seconds are CPU seconds on a shared machine with two cores: *capture* is from the module to
the graph, *passes* from there to the target. Peak memory is of the whole process. Tied parameters count once.

What a target says is of legalising (with `--plan`, of planning too): that it takes the model, or the first sentence of
why not. Whether all of it fits a machine, planning tells.

"""


def main() -> None:
    plan = "--plan" in sys.argv
    if names := [word for word in sys.argv[1:] if word != "--plan"]:
        print(json.dumps(measured(names[0], plan), indent=1))
        return
    from benchmarks.zoo import ZOO

    rows = [run(entry.name, plan) for entry in ZOO]
    PAGE.write_text(HEAD + table(rows), encoding="utf-8")
    print(table(rows))


def run(name: str, plan: bool) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.models", name, *["--plan"] * plan]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    print(f"{name}: {found['capture_s']:.1f} s", file=sys.stderr, flush=True)
    return found


def measured(name: str, plan: bool) -> dict[str, Any]:
    """The figures of one model, in this process."""
    from benchmarks.zoo import BY_NAME
    from wsc.compiler.ir.verify import verify
    from wsc.compiler.passes.pipeline import run_pipeline
    from wsc.frontend.capture import capture

    with tempfile.TemporaryDirectory() as folder:
        source = BY_NAME[name].full(Path(folder))
    start = time.process_time()
    captured = capture(source.module, source.example_inputs, source.name)
    between = time.process_time()
    verify(captured.model.graph)
    model = run_pipeline(captured.model)
    end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    work = captured.model.graph.work()
    return {
        "name": name,
        "source": BY_NAME[name].source,
        "inputs": str(captured.arguments),
        "parameters": sum(p.numel() for p in source.module.parameters()),
        "nodes": len(captured.model.graph.nodes),
        "nodes_after": len(model.graph.nodes),
        "macs": work.macs,
        "capture_s": between - start,
        "passes_s": end - between,
        "peak_bytes": peak,
        "targets": says(model, plan),
    }


def says(model: Any, plan: bool) -> dict[str, str]:
    """What each target makes of a model; programs for models of this size are not emitted here."""
    from wsc.backends.registry import machine_names, select, targets
    from wsc.compiler.errors import UserError

    said = {}
    for target in sorted(targets().keys() - {"null"}):
        name = MACHINES.get(target) or next(m for m, t in machine_names().items() if t == target)
        selection = select(name)
        try:
            legal = selection.target.legalize(model, selection.machine)
            if plan:
                selection.target.plan(legal, selection.machine)
            said[target] = f"fits {name}" if plan else "takes it"
        except UserError as error:
            said[target] = f"{type(error).__name__}: {str(error).splitlines()[0].split('. ')[0]}"
        except Exception as error:
            said[target] = f"fails: {type(error).__name__}"
    return said


def table(rows: list[dict[str, Any]]) -> str:
    names = sorted(rows[0]["targets"])
    titles = [
        "model",
        "inputs",
        "parameters",
        "nodes",
        "after passes",
        "GMACs",
        "capture",
        "passes",
        "peak",
        *names,
    ]
    lines = [" | ".join(titles), "|".join(["---"] * len(titles))]
    lines += [" | ".join([*cells(row), *(row["targets"][name] for name in names)]) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def cells(row: dict[str, Any]) -> list[str]:
    return [
        row["name"],
        row["inputs"],
        f"{row['parameters'] / 1e6:,.1f} M",
        f"{row['nodes']:,}",
        f"{row['nodes_after']:,}",
        f"{row['macs'] / 1e9:,.2f}",
        f"{row['capture_s']:.1f} s",
        f"{row['passes_s']:.2f} s",
        f"{row['peak_bytes'] / 2**30:.2f} GiB",
    ]


if __name__ == "__main__":
    main()
