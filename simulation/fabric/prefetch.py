"""Asking for a record before it is needed: the memory of a large fabric is too far away to wait for."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WRITE, _KEEP, _DATA = 1, 3, 1  # what `llvm.prefetch` is told: for writing, in all caches, data


@intrinsic
def _prefetch(typing: Any, array: Any, index: Any) -> Any:
    if not isinstance(array, types.Array) or array.ndim != 1:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        made = context.make_array(kind)(context, builder, arguments[0])
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        at = context.cast(builder, arguments[1], signature.args[1], types.intp)
        start = builder.ptrtoint(made.data, ir.IntType(64))
        address = builder.inttoptr(builder.add(start, builder.mul(at, size)), cgutils.voidptr_t)
        number = ir.IntType(32)
        kinds = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kinds)
        flags = [ir.Constant(number, flag) for flag in (_WRITE, _KEEP, _DATA)]
        builder.call(ask, [address, *flags])
        return context.get_dummy_value()

    return types.void(array, index), generate


# Brings element `index` of an array of one dimension into the cache; an index outside it does no harm.
prefetch: Callable[[Any, Any], None] = cast(Any, _prefetch)
