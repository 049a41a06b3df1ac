"""Capture every model of the zoo at full size on the meta device, compile it for every target, write docs/models.md.

    python -m benchmarks.models                # the table
    python -m benchmarks.models llama3-70b     # one model, as JSON
    python -m benchmarks.models --seconds 600  # gives each target that long for a model, 0 asks none; 20 otherwise

Each model runs in a process of its own, so that its peak memory is its own. Seconds are CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Contract
from wsc.compiler.parts.part import parts_of

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "models.md"
MACHINES = {"wafer": "wse2", "cim": "isaac", "gpu_cluster": "h100x8"}  # the machine to ask
WHOLE = {"attention", "softmax", "norm", "recurrence", "grouped", "topk"}
SECONDS = 20.0  # of CPU for a target and a model; what a page can wait for, and no part of any result
HEAD = """# Models

Written by `python -m benchmarks.models`. Full size, weights on the meta device, one input of the size that the zoo
(`benchmarks/zoo.py`) says. Seconds are CPU seconds on a shared machine with two cores: *capture* is from the module to
the graph, *passes* from there to the target. Peak memory is of the process up to there. Tied parameters count once.
*Kept whole* counts nodes and parts (see `compiler/parts`) that stand for what models call by name.

A target says the simulated cycles between inputs in the steady state, the first sentence of why it cannot run the
model, or that it had not answered after some CPU seconds (`--seconds` gives it more; with 0 none is asked).

"""


class _TooLong(BaseException):
    """A target has used its time; no Exception, so that nothing on the way takes it for an answer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    given = parser.parse_args()
    if given.model:
        print(json.dumps(measured(given.model, given.seconds), indent=1))
        return
    from benchmarks.zoo import ZOO

    rows = [run(entry.name, given.seconds) for entry in ZOO]
    PAGE.write_text(HEAD + table(rows), encoding="utf-8")
    print(table(rows))


def run(name: str, seconds: float) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.models", name, "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    print(f"{name}: {found['capture_s']:.1f} s", file=sys.stderr, flush=True)
    return found


def measured(name: str, seconds: float) -> dict[str, Any]:
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
        "kept_whole": kept_whole(model.graph),
        "targets": says(captured.model, seconds),
    }


def kept_whole(graph: Graph) -> str:
    """Nodes and parts that stand for more than one operation of the model, and how many of each."""
    kinds = Counter(node.op.kind for node in graph if node.op.kind in WHOLE)
    kinds |= Counter(part.kind for part in parts_of(graph) if not part.kind.startswith("mixture."))
    kinds["mixture"] = sum(part.kind == "mixture.experts" for part in parts_of(graph))
    kinds["convolution"] = sum(isinstance(node.op, Contract) and bool(node.op.windows) for node in graph)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()) if count)


def says(model: Model, seconds: float) -> dict[str, str]:
    """What each target makes of a captured model: cycles, or why not."""
    from wsc.backends.registry import targets

    return {
        target: answer(model, MACHINES[target], seconds) for target in sorted(targets().keys() & MACHINES)
    }


def answer(model: Model, machine: str, seconds: float) -> str:
    """Cycles between inputs on a machine, the first sentence of a refusal, or that there was no answer in time."""
    from wsc.backends.registry import select
    from wsc.compiler.errors import UserError
    from wsc.driver import compile_model

    if not seconds:
        return "not asked"

    def stop(*_: object) -> None:
        raise _TooLong

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        trace = compile_model(model, select(machine)).trace
        return f"{trace.interval_cycles:,} cycles"
    except UserError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0].split('. ')[0]}"
    except _TooLong:
        return f"no answer in {seconds:.0f} s"
    except Exception as error:
        return f"fails: {type(error).__name__}: {str(error).splitlines()[0]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


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
        "kept whole",
        *(f"{name}: {MACHINES[name]}" for name in names),
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
        row["kept_whole"],
    ]


if __name__ == "__main__":
    main()
