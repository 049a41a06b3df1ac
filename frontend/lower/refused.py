"""Operations that no program can have, each with the reason."""

from __future__ import annotations

from functools import partial
from typing import NoReturn

from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import Unsupported, lowering

_RANDOM = "random numbers; a program computes the same each time, so make them outside and pass them in"
_COUNT = "the size of the result depends on values"
_NUMBER = "a number read out of a tensor; keep values in tensors"
_LAYOUT = "a size or an address that is not known while compiling; pin the shapes"

_REASONS = {
    _RANDOM: (
        *("aten.rand.default", "aten.randn.default", "aten.randperm.default", "aten.randint.low"),
        *("aten.randint.default", "aten.rand_like.default", "aten.randn_like.default"),
        *(
            "aten.bernoulli.default",
            "aten.bernoulli.p",
            "aten.multinomial.default",
            "aten.native_dropout.default",
        ),
        *("aten.normal.Tensor_Tensor", "aten.uniform.default", "aten.exponential.default"),
    ),
    _COUNT: ("aten.nonzero.default", "aten.masked_select.default", "aten._unique2.default"),
    _NUMBER: ("aten._local_scalar_dense.default",),
    _LAYOUT: ("aten.sym_numel.default", "aten.sym_storage_offset.default"),
}


def _refuse(reason: str, call: Call, *args: object, **kwargs: object) -> NoReturn:
    raise Unsupported(reason)


def refused_targets() -> frozenset[str]:
    """The operations that are always refused."""
    return frozenset(target for targets in _REASONS.values() for target in targets)


for _reason, _targets in _REASONS.items():
    lowering(*_targets)(partial(_refuse, _reason))
