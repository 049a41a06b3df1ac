"""The multiplications that torch's own counter finds in a captured model, to compare the graph's with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from wsc.frontend.capture import Captured


def counted_macs(captured: Captured) -> int:
    """Multiply-accumulates that FlopCounterMode counts in one eager call on the example inputs.

    Attention is run as products, and experts as products of each row with its matrix: the counter knows no others.
    """
    module = captured.module
    if config := getattr(module, "config", None):
        config._experts_implementation = "batched_mm"
    module.requires_grad_(
        False
    )  # the counter follows gradients where a weight is handed on, and there are none
    args, kwargs = captured.arguments.filled(captured.arguments.tensors)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(*args, **kwargs)
    return int(counter.get_total_flops()) // 2
