"""How long `wsc compare` takes as a whole process, from the file of a model to the written tables.

    python -m benchmarks.compare_time [--model samples/gpt2.py] [--targets wse2,wse3,h100x8,isaac] [--runs 1]

The limit of 60 s is for two cores that do nothing else. On a machine that has other work the wall time says little:
half of the CPU time is what two free cores would take, were all of it spread over both.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.processes import wsc

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "gpt2.py"
SECONDS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, default=SAMPLE)
    parser.add_argument("--targets", default="wse2,wse3,h100x8,isaac")
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory() as folder:
            command = ["compare", str(arguments.model.resolve()), "--targets", arguments.targets, "--json"]
            took = wsc(command, Path(folder))
        print(
            f"{arguments.targets}: wall {took.wall:.1f} s, CPU {took.cpu:.1f} s, half of it {took.cpu / 2:.1f} s"
        )
    print(f"limit: {SECONDS:.0f} s on two cores")


if __name__ == "__main__":
    main()
