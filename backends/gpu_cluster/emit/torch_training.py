"""Code that runs a planned training step on real GPUs: run_torch.py, plan.json and schedule.csv.

The code is a text file beside this one; what differs from plan to plan is in plan.json. Writing it needs no torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wsc.backends.gpu_cluster.emit.templates import script, write_files
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.transformer.schedule import actions
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape, check
from wsc.backends.gpu_cluster.transformer.stages import Stage, even_stages
from wsc.compiler.errors import UserError

_DROPOUT = 0.1  # Megatron-LM's rate of residuals and of the embedding


def write_torch_training(
    shape: TransformerShape, plan: Parallelism, folder: Path, stages: tuple[Stage, ...] | None = None
) -> tuple[Path, ...]:
    """Write the files of a plan into a folder, and return them; raises UserError for what is not written yet."""
    check(shape, plan)
    _refuse(shape, plan)
    stages = stages or even_stages(shape, plan.stages)
    values = {
        "MODEL": "torch_model.tmpl",
        "EXPERTS": "torch_experts.tmpl",
        "NAME": shape.name,
        "RANKS": str(plan.ranks),
    }
    texts = {
        "run_torch.py": script("run_torch_training.tmpl", values),
        "plan.json": json.dumps(plan_values(shape, plan, stages), indent=1) + "\n",
        "schedule.csv": schedule_csv(plan),
    }
    return write_files(texts, folder)


def _refuse(shape: TransformerShape, plan: Parallelism) -> None:
    """What the written code cannot do."""
    faults = {
        "shard = 2 in a pipeline, whose runtime adds up a step's gradients at its end": plan.shard == 2
        and plan.pipeline > 1,
        "recompute = 'full' with the schedule 'zero-bubble', where torch computes a layer again for each part of the "
        "backward pass": plan.recompute == "full" and plan.schedule == "zero-bubble",
        f"tied embeddings on one stage with shard = {plan.shard}": shape.tied
        and plan.shard > 0
        and plan.pipeline == 1,
        "products in parts (overlap_products)": plan.overlap_products and plan.tensor > 1,
        "weights gathered matrix by matrix (gather = 'matrix')": plan.gather == "matrix",
        "dropout of attention's probabilities (fused_attention = False)": shape.dropout
        and not plan.fused_attention,
        f"precision = '{plan.precision.value}'": plan.precision not in (Precision.BF16, Precision.FP32),
        f"fewer heads of keys and values ({shape.kv_heads}) than tensor = {plan.tensor}": shape.kv_heads
        < plan.tensor,
    }
    if found := [name for name, wrong in faults.items() if wrong]:
        raise UserError(
            f"The PyTorch code of '{shape.name}' cannot be written: no {', no '.join(found)} there yet."
        )


def plan_values(shape: TransformerShape, plan: Parallelism, stages: tuple[Stage, ...]) -> dict[str, Any]:
    """What plan.json holds."""
    model = (
        *("hidden", "ffn", "heads", "kv_heads", "head_dim", "vocab", "sequence", "gated", "bias", "rotary"),
        *("experts", "top_k", "tied"),
    )
    spread = (
        "data",
        "global_batch",
        "micro_batch",
        "microbatches",
        "shard",
        "sequence",
    )
    width = "float32" if plan.precision is Precision.FP32 else "bfloat16"
    return {
        "name": shape.name,
        "model": {
            **{name: getattr(shape, name) for name in model},
            "dropout": _DROPOUT if shape.dropout else 0.0,
        },
        "spread": {
            **plan.mesh(),
            **{name: getattr(plan, name) for name in spread},
            "layers_of_stages": [stage.layers for stage in stages],
            "schedule": plan.schedule,
            "recompute": plan.recompute == "full",  # scores alone are never kept by fused attention
            "dtype": width,
            "gradient_dtype": "float32" if plan.gradient_bytes == 4 else "bfloat16",
        },
    }


def schedule_csv(plan: Parallelism) -> str:
    """A row a rank of the pipeline: its passes in order, as torch's runtime reads them (stage, pass, microbatch)."""
    orders = actions(plan.schedule, plan.pipeline, plan.virtual, plan.microbatches, plan.group)
    rows = [
        ",".join(f"{a.chunk * plan.pipeline + rank}{a.kind}{a.microbatch}" for a in order)
        for rank, order in enumerate(orders)
    ]
    return "\n".join(rows) + "\n"
