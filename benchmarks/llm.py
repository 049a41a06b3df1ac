"""Language models on wafers, from the meta device: cycles, tokens a second, times and memory of the whole process.

    python -m benchmarks.llm [NAME ...]

Each line is one `wsc compile` in a process of its own; NAME picks some by name.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
RUNS = {
    "8b-decode-660x660": (
        "llama3_8b.py",
        ("-t", "wse2", "--phase", "decode", "--grid", "660x660", "--wafers", "1"),
    ),
    "8b-prefill": ("llama3_8b.py", ("-t", "wse2", "--phase", "prefill")),
    "70b-decode": ("llama3_70b.py", ("-t", "wse3", "--phase", "decode", "--wafers", "4")),
    "70b-prefill": ("llama3_70b.py", ("-t", "wse3", "--phase", "prefill", "--wafers", "4")),
}


def run(sample: str, options: tuple[str, ...]) -> str:
    """Compile once; returns a line of figures."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "wsc",
            "compile",
            str(SAMPLES / sample),
            *options,
            "--json",
            "--no-page",
        ]
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*command, "-o", f"{folder}/build"], capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        return done.stderr.strip()
    told = json.loads(done.stdout)

    def rate(cycles: str) -> float:
        return float(told["tokens_per_input"] * told["clock_hz"] / told[cycles])

    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        f"{told['latency_cycles']:,} cycles, {rate('latency_cycles'):,.1f} tokens/s of an input alone,"
        f" {rate('known_interval_cycles'):,.1f} of inputs known in advance;"
        f" {time.perf_counter() - start:.0f} s ({cpu:.0f} s of CPU), largest process {after.ru_maxrss / 2**20:.1f} GiB"
        f"; {told['facts']['schedule']}; {told['facts'].get('wafers', 1)} wafers"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args().names or list(RUNS)
    for name in names:
        print(f"{name:20} {run(*RUNS[name])}", flush=True)


if __name__ == "__main__":
    main()
