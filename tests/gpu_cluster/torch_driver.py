"""Runs the written code of several folders, one after another, in the processes of one launch: torch loads once.

With options of the written code before the folders, --reference say, in this process alone, once with each.
"""

import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    options = [given for given in sys.argv[1:] if given.startswith("--")]
    folders = sys.argv[1 + len(options) :]
    port = int(os.environ.get("MASTER_PORT", "0"))
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"  # its keys are of the first group that is made
    runs = [(option, folder) for option in options or [""] for folder in folders]
    for number, (option, folder) in enumerate(runs, start=1):
        os.environ["MASTER_PORT"] = str(port + number)
        script = Path(folder) / "run_torch.py"
        name = option.split("=")[0].removeprefix("--") or "out"
        report = ("--report", str(Path(folder) / f"{name}.json"))
        sys.argv = [str(script), *([option] if option else []), *report]
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
