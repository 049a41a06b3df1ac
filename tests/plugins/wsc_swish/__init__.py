"""A plugin as a user would write it: one operation in torch, and the same for wsc."""

import numpy as np
import torch

from wsc.compiler.ops.custom import Rule, register


@torch.library.custom_op("wsc_swish::swish", mutates_args=())
def swish(x: torch.Tensor, beta: float) -> torch.Tensor:
    return x * torch.sigmoid(beta * x)


@swish.register_fake
def _(x: torch.Tensor, beta: float) -> torch.Tensor:
    return torch.empty_like(x)


register(
    "wsc_swish::swish",
    Rule(
        shape=lambda x, beta: x,
        work=lambda x, beta: (0, 14 * x.elements),
        reference=lambda x, beta: x / (1 + np.exp(-beta * x)),
        pointwise=True,
    ),
)
