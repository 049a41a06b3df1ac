"""Scaled dot-product attention, kept whole."""

from __future__ import annotations

from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Attention
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Value


@lowering("aten.scaled_dot_product_attention.default")
def attention(
    call: Call,
    q: Value,
    k: Value,
    v: Value,
    attn_mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    """q[..., h, s, d] over k[..., h, t, d] and v[..., h, t, e]; with grouped queries k and v have fewer heads."""
    if dropout_p > 0:
        raise Unsupported("dropout inside attention; set dropout_p to 0 in inference")
    lead = call.result.shape[:-2]
    groups = q.shape[-3] // k.shape[-3] if enable_gqa and q.rank > 2 else 1
    op = Attention(q.shape[-1] ** -0.5 if scale is None else scale, is_causal)
    operands = [call.expand(q, (*lead, *q.shape[-2:])), k, v]
    if attn_mask is not None:
        operands.append(_mask(call, attn_mask, (*lead, q.shape[-2], k.shape[-2])))
    operands = [call.aligned(operand, len(lead) + 2) for operand in operands]
    if groups > 1:
        operands = [_grouped(call, operand, groups, lead[-1]) for operand in operands]
    return call.reshape(call.add(op, *operands), call.result.shape)


def _mask(call: Call, mask: Value, scores: tuple[int, ...]) -> Value:
    """The mask in the element type of the queries, with the last two extents of the scores."""
    if mask.type.dtype != DType.BOOL:
        mask = call.cast(mask, call.result.dtype)
    return call.expand(mask, (*mask.shape[:-2], *scores[-2:]))


def _grouped(call: Call, x: Value, groups: int, heads: int) -> Value:
    """Heads split into groups: [..., h, s, d] as [..., h / groups, groups, s, d]; fewer heads are shared by a group."""
    *batch, own, rows, cols = x.shape
    return call.reshape(x, (*batch, *((own // groups, groups) if own == heads else (own, 1)), rows, cols))
