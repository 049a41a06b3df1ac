"""What of a training step is distinct, and what the passes cost, as the layers grow: `python -m benchmarks.blocks`.

GPT-2 at small width with AdamW, forward, backward and update in one graph. Seconds are CPU seconds of this process; a
ratio is against the first row. What is distinct is one copy of each repeated block, and all that stands between.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass

from benchmarks.zoo import SAMPLES
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.compiler.repeated import entries_to_say, repeated_blocks
from wsc.frontend.losses import WithLoss
from wsc.frontend.model_file import load
from wsc.frontend.training import capture_training
from wsc.frontend.training_step import Recipe, TrainingProgram, training_programs

_SIZES = {"seq": "8", "dim": "32", "heads": "2", "vocab": "50"}


@dataclass(frozen=True)
class Row:
    """One depth: nodes of the graph after the passes, distinct ones, the large blocks, and CPU seconds."""

    layers: int
    nodes: int
    distinct: int
    blocks: str
    passes_s: float
    search_s: float


def measured(layers: int) -> Row:
    """Capture a step of that many layers, run the passes, and find its blocks."""
    program = _step(layers)
    start = time.process_time()
    graph = run_pipeline(program.model, program.passes).graph
    after_passes = time.process_time()
    blocks = repeated_blocks(graph)
    end = time.process_time()
    large = [block.repeat for block in blocks if block.repeat.length > 20]
    told = " + ".join(f"{repeat.count} x {repeat.length}" for repeat in large)
    distinct = entries_to_say(graph, blocks)
    return Row(layers, len(graph.nodes), distinct, told, after_passes - start, end - after_passes)


def _step(layers: int) -> TrainingProgram:
    import torch
    from torch.nn import functional as F

    source = load(str(SAMPLES / "gpt2.py"), {**_SIZES, "layers": str(layers), "logits": "all"})
    target = torch.zeros(source.module(*source.example_inputs).shape[:-1], dtype=torch.int64)
    module = WithLoss(source.module, lambda scores, t: F.cross_entropy(scores.flatten(0, -2), t.flatten()))
    (program,) = training_programs(
        capture_training(module, (source.example_inputs, target), "gpt2"), Recipe()
    )
    return program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--layers", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--json", action="store_true", help="the rows as JSON")
    given = parser.parse_args()
    rows = [measured(layers) for layers in given.layers]
    if given.json:
        print(json.dumps([vars(row) for row in rows], indent=1))
        return
    print("layers   nodes  distinct  passes (ratio)  search (ratio)  blocks")
    first = rows[0]
    for row in rows:
        ratios = row.passes_s / first.passes_s, row.search_s / first.search_s
        print(
            f"{row.layers:6} {row.nodes:7,} {row.distinct:9,} {row.passes_s:6.2f} s ({ratios[0]:4.1f}) "
            f"{row.search_s:6.2f} s ({ratios[1]:4.1f})  {row.blocks}"
        )


if __name__ == "__main__":
    main()
