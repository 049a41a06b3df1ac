"""Simulated cycles of every sample against the machine's own bound: no figure may beat it.

python -m benchmarks.bounds [--target wse2]
"""

import argparse
from pathlib import Path

from wsc.backends.registry import select
from wsc.backends.wafer.simulate.bound import latency_lower_bound, lower_bound
from wsc.driver import compile_model
from wsc.frontend.capture import capture
from wsc.frontend.model_file import load

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="wse2")
    selection = select(parser.parse_args().target)
    print(
        f"{'sample':10} {'interval':>12} {'bound':>10} {'ratio':>7}   {'latency':>12} {'bound':>10}   bounded by"
    )
    for path in sorted(SAMPLES.glob("*.py")):
        source = load(str(path), {})
        compiled = compile_model(capture(source.module, source.example_inputs, source.name).model, selection)
        trace, program, machine = compiled.trace, compiled.program, selection.machine
        bound, latency_bound = lower_bound(program, machine), latency_lower_bound(program, machine)
        if trace.interval_cycles < bound or trace.latency_cycles < latency_bound:
            raise SystemExit(f"{source.name} beats the machine's own bound")
        print(
            f"{source.name:10} {trace.interval_cycles:12,} {bound:10,} {trace.interval_cycles / bound:7.2f}   "
            f"{trace.latency_cycles:12,} {latency_bound:10,}   {trace.bounded_by}"
        )


if __name__ == "__main__":
    main()
