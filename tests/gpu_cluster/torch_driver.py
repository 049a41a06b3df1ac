"""Runs the written code of several folders, one after another, in the processes of one launch: torch loads once."""

import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    port = int(os.environ["MASTER_PORT"])
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"  # its keys are of the first group that is made
    for number, folder in enumerate(sys.argv[1:], start=1):
        os.environ["MASTER_PORT"] = str(port + number)
        script = Path(folder) / "run_torch.py"
        sys.argv = [str(script), "--report", str(Path(folder) / "out.json")]
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
