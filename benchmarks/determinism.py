"""Whether the same input gives the same program, byte for byte: compiled in new processes with other hash seeds.

python -m benchmarks.determinism
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
SEEDS = ("0", "1", "4242")


def digest(sample: str, seed: str) -> str:
    """Digest of the program file of a fresh compilation."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "wsc", "compile", str(SAMPLES / f"{sample}.py"), "-o", f"{folder}/b"]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        return hashlib.sha256((Path(folder) / "b" / "program.txt").read_bytes()).hexdigest()


def main() -> None:
    for sample in ("gpt2", "resnet50", "llama", "mlp"):
        found = {digest(sample, seed) for seed in SEEDS}
        verdict = "identical" if len(found) == 1 else "DIFFERENT"
        print(
            f"{sample:10} {len(SEEDS)} compilations, hash seeds {', '.join(SEEDS)}: {verdict} {min(found)[:16]}"
        )


if __name__ == "__main__":
    main()
