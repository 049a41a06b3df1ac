"""Capture every model of the zoo at full size on the meta device, compile it for every target, write docs/models.md.

    python -m benchmarks.models                     # the table, of what is kept and of what is still missing
    python -m benchmarks.models --again gpt2 bert   # asks these two again, then the table
    python -m benchmarks.models --decode llama3-70b # one token of it over a cache, to the graph, as JSON
    python -m benchmarks.models --seconds 600       # gives each target that long for a model, 0 asks none; 20 otherwise

Each model, and each target's answer for it, is made in a process of its own, so that its peak memory is its own, and
kept in a folder (`--keep`) as soon as it is there: a run that was cut off goes on where it was. A target that had no
answer is asked again where it is given more time. Seconds are CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.page import MODELS, ROOT, put_section
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Contract
from wsc.compiler.parts.part import parts_of

if TYPE_CHECKING:
    from wsc.frontend.capture import Captured

MACHINES = {"wafer": "wse2", "cim": "isaac", "gpu_cluster": "h100x8"}  # the machine to ask
WHOLE = {"attention", "softmax", "norm", "recurrence", "grouped", "topk"}
SECONDS = 20.0  # of CPU for a target and a model; what a page can wait for, and no part of any result
HEAD = """# Models

Written by `python -m benchmarks.models`. Full size, weights on the meta device, one input of the size that the zoo
(`benchmarks/zoo.py`) says. Seconds are CPU seconds on a shared machine with two cores: *capture* is from the module to
the graph, *passes* from there to the target. Peak memory is of the process up to there. Tied parameters count once.
*Kept whole* counts nodes and parts (see `compiler/parts`) that stand for what models call by name.

A target says the simulated cycles between inputs in the steady state, the first sentence of why it cannot run the
model, or that it had not answered after some CPU seconds (`--seconds` gives it more; with 0 none is asked); in
parentheses the CPU seconds from the graph to that answer.

"""


class _TooLong(BaseException):
    """A target has used its time; no Exception, so that nothing on the way takes it for an answer."""


def main() -> None:
    from benchmarks.zoo import BY_NAME

    given = _arguments(list(BY_NAME))
    if given.one:
        name, target = given.one
        found = answered(name, target, given.seconds) if target else measured(name)
        print(json.dumps(found, indent=1))
        return
    if given.decode:
        print(json.dumps(measured(given.decode, decode=True), indent=1))
        return
    rows = [run(name, given) for name in BY_NAME]
    put_section(MODELS, HEAD + table(rows))
    print(table(rows))


def _arguments(known: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="CPU seconds for a target and a model")
    parser.add_argument(
        "--keep", type=Path, default=ROOT / "build" / "models", help="folder of what was found"
    )
    parser.add_argument("--again", nargs="*", choices=known, default=[], help="models to measure again")
    parser.add_argument(
        "--decode", choices=known, help="a decoder to capture with a cache as long as its input"
    )
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "TARGET"), help=argparse.SUPPRESS)
    return parser.parse_args()


def run(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """The row of a model: what is kept of it, and what was missing."""
    file = given.keep / f"{name}.json"
    row: dict[str, Any] = {}
    if file.exists() and name not in given.again:
        row = json.loads(file.read_text(encoding="utf-8"))
    if not row:
        row = _in_a_process(name, "", 0) | {"targets": {}}
        _keep(file, row)
    for target in MACHINES:
        known = row["targets"].get(target)
        if given.seconds and (
            known is None or ("no answer" in known["says"] and known["given"] < given.seconds)
        ):
            row["targets"][target] = _in_a_process(name, target, given.seconds)
            _keep(file, row)
            print(f"{name} {target}: {row['targets'][target]}", file=sys.stderr, flush=True)
    return row


def _keep(file: Path, row: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(row, indent=1), encoding="utf-8")


def _in_a_process(name: str, target: str, seconds: float) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.models", "--one", name, target]
    command += ["--seconds", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode < 0 and target:
        return {"says": f"stopped by signal {-done.returncode}", "given": seconds, "cpu_s": 0.0}
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return found


def captured_at_full_size(name: str, decode: bool = False) -> tuple[Captured, int, float]:
    """A model of the zoo, or one token of it over a cache; its parameters, and the CPU seconds of its capture."""
    from benchmarks.zoo import BY_NAME
    from wsc.frontend.capture import capture

    entry = BY_NAME[name]
    if decode:
        entry = replace(entry, options={"phase": "decode", "context": entry.options["seq"]})
    with tempfile.TemporaryDirectory() as folder:
        source = entry.full(Path(folder))
    start = time.process_time()
    captured = capture(source.module, source.example_inputs, source.name)
    took = time.process_time() - start
    return captured, sum(p.numel() for p in source.module.parameters()), took


def measured(name: str, decode: bool = False) -> dict[str, Any]:
    """The figures of one model up to the targets, in this process."""
    from benchmarks.zoo import BY_NAME
    from wsc.compiler.ir.verify import verify
    from wsc.compiler.passes.pipeline import run_pipeline

    captured, parameters, capture_s = captured_at_full_size(name, decode)
    between = time.process_time()
    verify(captured.model.graph)
    model = run_pipeline(captured.model)
    end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "name": name,
        "source": BY_NAME[name].source,
        "inputs": str(captured.arguments),
        "parameters": parameters,
        "nodes": len(captured.model.graph.nodes),
        "nodes_after": len(model.graph.nodes),
        "macs": captured.model.graph.work().macs,
        "capture_s": capture_s,
        "passes_s": end - between,
        "peak_bytes": peak,
        "kept_whole": kept_whole(model.graph),
    }


def kept_whole(graph: Graph) -> str:
    """Nodes and parts that stand for more than one operation of the model, and how many of each."""
    kinds = Counter(node.op.kind for node in graph if node.op.kind in WHOLE)
    kinds |= Counter(part.kind for part in parts_of(graph) if not part.kind.startswith("mixture."))
    kinds["mixture"] = sum(part.kind == "mixture.experts" for part in parts_of(graph))
    kinds["convolution"] = sum(isinstance(node.op, Contract) and bool(node.op.windows) for node in graph)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()) if count)


def answered(name: str, target: str, seconds: float) -> dict[str, Any]:
    """What a target makes of a model, the CPU seconds that it was given, and that it took."""
    captured, _, _ = captured_at_full_size(name)
    start = time.process_time()
    says = answer(captured.model, MACHINES[target], seconds)
    return {"says": says, "given": seconds, "cpu_s": time.process_time() - start}


def answer(model: Model, machine: str, seconds: float) -> str:
    """Cycles between inputs on a machine, the first sentence of a refusal, or that there was no answer in time."""
    from wsc.backends.registry import select
    from wsc.compiler.errors import UserError
    from wsc.driver import compile_model

    def stop(*_: object) -> None:
        raise _TooLong

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        compiled = compile_model(model, select(machine))
        wafers = getattr(compiled.plan, "wafers", 1)
        where = f" on {wafers} wafers" if wafers > 1 else ""
        return f"{compiled.trace.interval_cycles:,} cycles{where}"
    except UserError as error:
        return f"{type(error).__name__}: {first_sentence(str(error))}"
    except _TooLong:
        return "no answer"
    except Exception as error:
        return f"fails: {type(error).__name__}: {str(error).splitlines()[0]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def first_sentence(text: str) -> str:
    """Of an error: up to a full stop that ends a line or stands before a capital letter."""
    return re.split(r"\.(?=\s+[A-Z]|$)", text.splitlines()[0], maxsplit=1)[0]


def said(given: dict[str, Any] | None) -> str:
    """A target's answer as the page prints it."""
    if given is None:
        return "not asked"
    if given["says"] == "no answer":
        return f"no answer in {given['given']:.0f} s"
    return f"{given['says']} ({given['cpu_s']:.0f} s)"


def table(rows: list[dict[str, Any]]) -> str:
    names = sorted(MACHINES)
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
    lines += [" | ".join([*cells(row), *(said(row["targets"].get(name)) for name in names)]) for row in rows]
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
