"""How even the stages of GPT-2's pipeline are, and how much of the wafer they use, from the simulated program.

    python -m benchmarks.balance [--sample gpt2] [--target wse2]

The slowest stage is to be at most 1.15 times the mean stage, and at least 60 % of the cores are to be used. A stage's
time is what its busiest core works for one input; the mean is given over stages and over the cores used.
"""

import argparse
from pathlib import Path

from wsc.backends.registry import select
from wsc.driver import compile_model
from wsc.frontend.capture import capture
from wsc.frontend.model_file import load

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", default="gpt2")
    parser.add_argument("--target", default="wse2")
    arguments = parser.parse_args()
    source = load(str(SAMPLES / f"{arguments.sample}.py"), {})
    selection = select(arguments.target)
    compiled = compile_model(capture(source.module, source.example_inputs, source.name).model, selection)
    kernels, trace = compiled.trace.kernels, compiled.trace
    slowest = max(k.busy_cycles for k in kernels)
    mean = sum(k.busy_cycles for k in kernels) / len(kernels)
    used = sum(k.units for k in kernels)
    over_cores = sum(k.busy_cycles * k.units for k in kernels) / used
    cores = selection.machine.cores
    print(f"{arguments.sample} on {arguments.target}: {len(kernels)} stages")
    print(f"slowest stage          {slowest:12,.0f} cycles")
    print(f"mean over stages       {mean:12,.0f} cycles   slowest / mean {slowest / mean:.3f}")
    print(f"mean over cores used   {over_cores:12,.0f} cycles   slowest / mean {slowest / over_cores:.3f}")
    interval = trace.interval_cycles
    print(f"interval               {interval:12,} cycles   interval / slowest {interval / slowest:.3f}")
    print(f"cores used             {used:12,} of {cores:,} ({used / cores:.1%})")
    print(f"bounded by             {trace.bounded_by}")


if __name__ == "__main__":
    main()
