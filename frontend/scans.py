"""Linear recurrences as one operation, where a library would otherwise unroll them over time.

`torch.ops.wsc.recurrence(a, b, dim)` is y[t] = a[t] * y[t - 1] + b[t]; export keeps it whole. A model may call it.
While a model is exported, `scans_kept` also puts it in the place of torch's associative scan with that rule, which is
what transformers' state-space models are written with under torch.compile; for torch.export they loop over time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

_scans = import_module("torch._higher_order_ops.associative_scan")  # in the package this name is the function

Rule = Callable[..., Any]

# Points at which a rule must agree with the linear recurrence's; any rational function that does is that rule.
_PROBES = ((2.0, 3.0, 5.0, 7.0), (-1.5, 0.25, 0.75, -4.0), (11.0, -13.0, 0.0, 17.0))


@torch.library.custom_op("wsc::recurrence", mutates_args=())
def recurrence(a: Tensor, b: Tensor, dim: int) -> Tensor:
    """y[t] = a[t] * y[t - 1] + b[t] along `dim`, with y[-1] = 0; a has the shape of b."""
    result = torch.empty_like(b)
    state = torch.zeros_like(b.select(dim, 0))
    for t in range(b.shape[dim]):
        state = a.select(dim, t) * state + b.select(dim, t)
        result.select(dim, t).copy_(state)
    return result


@recurrence.register_fake
def _(a: Tensor, b: Tensor, dim: int) -> Tensor:
    return torch.empty_like(b)


def _save(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
    ctx.dim = inputs[2]
    ctx.save_for_backward(inputs[0], output)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
    """The same recurrence backwards: gb[t] = grad[t] + a[t + 1] * gb[t + 1], and ga[t] = gb[t] * y[t - 1]."""
    a, y = ctx.saved_tensors
    dim, last = ctx.dim, a.shape[ctx.dim] - 1
    edge = torch.zeros_like(a.narrow(dim, 0, 1))
    later = torch.cat([a.narrow(dim, 1, last), edge], dim)
    grad_b = torch.ops.wsc.recurrence(later.flip(dim), grad.flip(dim), dim).flip(dim)
    before = torch.cat([edge, y.narrow(dim, 0, last)], dim)
    return grad_b * before, grad_b, None


recurrence.register_autograd(_backward, setup_context=_save)


@contextmanager
def scans_kept() -> Iterator[None]:
    """While a module is exported: associative scans with the rule of a linear recurrence become that operation."""
    original = _scans.associative_scan

    def scan(combine_fn: Rule, xs: Any, dim: int, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs.get("reverse") or not _is_linear(combine_fn, xs):
            return original(combine_fn, xs, dim, *args, **kwargs)
        a, b = torch.broadcast_tensors(*xs)
        return torch.cumprod(a, dim), torch.ops.wsc.recurrence(a, b, dim)

    with ExitStack() as stack:
        for module in list(sys.modules.values()):
            names = getattr(module, "__dict__", {})
            if names.get("associative_scan") is original:
                stack.enter_context(patch.object(module, "associative_scan", scan))
            if "mamba_selective_scan" in names and "is_torchdynamo_exporting" in names:
                # It writes the scan in both ways and asks which one to use.
                stack.enter_context(patch.object(module, "is_torchdynamo_exporting", lambda: False))
        yield


def _is_linear(rule: Rule, xs: Any) -> bool:
    """Whether a rule of combination is (a, b), (c, d) -> (a * c, c * b + d)."""
    if not isinstance(xs, tuple | list) or len(xs) != 2:
        return False
    try:
        return all(tuple(rule((a, b), (c, d))) == (a * c, c * b + d) for a, b, c, d in _PROBES)
    except Exception:  # a rule for tensors only
        return False
