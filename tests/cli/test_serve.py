"""`wsc compile --phase serve`: three build folders, the figures that are printed, programs that run."""

import json
import shutil
from pathlib import Path

from tests.cli.shell import wsc, wsc_well

SAMPLE = Path(__file__).parents[2] / "samples/llama3_8b.py"


def test_serving_writes_three_builds_that_run(folder: Path) -> None:
    shutil.copy(SAMPLE, ".")
    sizes = ("-D", "shape=tiny", "--context", "16", "--seq", "10", "--phase", "serve")
    ran = wsc("compile", "llama3_8b.py", *sizes, "-t", "wafer-4x4", "--wafers", "3", "--json", "--no-page")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert sorted(p.name for p in Path("build").iterdir() if p.is_dir()) == [
        "llama3_8b.decode",
        "llama3_8b.prefill",
        "llama3_8b.relayout",
    ]
    serving = told["serving"]
    assert serving["prompt_tokens"] == 10
    assert serving["prefill_cycles"] == told["prefill"]["latency_cycles"]
    assert serving["relayout_cycles"] == told["relayout"]["latency_cycles"] > 0
    assert serving["decode_cycles"] == told["decode"]["interval_cycles"]
    wsc_well("run", "build/llama3_8b.relayout")
    assert "llama3_8b" in wsc_well("simulate", "build/llama3_8b.relayout").out
