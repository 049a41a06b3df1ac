"""Wall time and peak memory of `wsc compile` on the big samples: the whole process, imports included.

    python -m benchmarks.compile_samples [--runs 3]

Limits are those of issue "First light", on two cores: 30 s and 2 GiB.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
SECONDS, GIBIBYTES = 30.0, 2.0


def compile_once(sample: str, folder: str) -> tuple[float, float]:
    """(seconds, GiB) of one whole process."""
    command = [
        sys.executable,
        "-m",
        "wsc",
        "compile",
        str(SAMPLES / f"{sample}.py"),
        "-o",
        f"{folder}/{sample}",
    ]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(message.decode())
    return time.perf_counter() - began, usage.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    print(f"{'sample':10} {'median s':>9} {'least s':>8} {'limit':>6}   {'peak GiB':>8} {'limit':>6}")
    for sample in ("gpt2", "resnet50"):
        with tempfile.TemporaryDirectory() as folder:
            figures = [compile_once(sample, folder) for _ in range(runs)]
        seconds = [s for s, _ in figures]
        memory = max(m for _, m in figures)
        print(
            f"{sample:10} {median(seconds):9.1f} {min(seconds):8.1f} {SECONDS:6.0f}   {memory:8.2f} {GIBIBYTES:6.1f}"
        )


if __name__ == "__main__":
    main()
